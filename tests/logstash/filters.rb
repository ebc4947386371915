# What the filters' own sources do to a text (logstash-filter-mutate 3.6.0, -truncate 1.0.6, -fingerprint 3.5.0), and the
# line of Ruby of ours beside a stand-in for LogStash::Event, which is Java and of no registry.
require "digest"
require "json"

given = JSON.parse($stdin.read)

def cut(value, length)
  return value if value.bytesize <= length
  v = value.byteslice(0, length)
  i = 0
  while !(v[-1].valid_encoding? && v.bytesize > 0)
    i += 1
    return "" if length - i == 0
    v = value.byteslice(0, length - i)
  end
  v
end

letters = given["letters"].each_slice(3).map { |_, pattern, replacement| [Regexp.new(pattern), replacement] }
written = ->(name) { letters.reduce(name) { |text, (pattern, put)| text.gsub(pattern, put) }.downcase }
names = given["names"].map do |name|
  short = cut(written.(name), given["length"])
  short == name ? short : "#{short}_#{cut(Digest::SHA256.hexdigest(name), given["hash"])}"
end

# Every code point but a dot, which keeps them apart.
codes = [*0..0x10ffff] - [*0xd800..0xdfff] - [0x2e]
made = written.(codes.pack("U*").chars.join(".")).split(".", -1)
raise "#{made.length} of #{codes.length}" if made.length != codes.length
odd = codes.zip(made).reject { |_, text| text == "_" }.to_h

module LogStash
  class Event
    attr_reader :data, :metadata

    def initialize(data, metadata = {})
      @data = { "@timestamp" => "now", "@version" => "1" }.merge(data)
      @metadata = metadata
    end

    def get(reference)
      reference.start_with?("[@metadata]") ? @metadata[reference[/\[([^\]]+)\]\z/, 1]] : @data[reference]
    end

    def overwrite(other)
      @data = other.data
      self
    end

    def to_json(*)
      @data.to_json
    end
  end
end

filter = Object.new
filter.instance_eval("define_singleton_method :filter_method do |event, &new_event_block|\n #{given["code"]} \nend")
events = given["events"].map do |event|
  made = LogStash::Event.new(event["data"], event["metadata"])
  filter.filter_method(made)
  [made.data, made.metadata]
end

matches = given["patterns"].map { |pattern, texts| texts.map { |text| Regexp.new(pattern).match?(text) } }
reasons = given["reasons"].map { |text| text.gsub(Regexp.new(given["answer"]), "") }

$stdout.puts JSON.generate({ names: names, odd: odd, events: events, matches: matches, reasons: reasons })
