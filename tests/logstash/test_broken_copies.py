"""A copy of the pipelines in which one thing is broken doesn't pass: the sentences hold what they say."""

from __future__ import annotations

import pytest
from logstash_pipeline_parser.tree import ParseError
from support import logstash_cases, pipelines
from support.logstash_rules import broken

assert logstash_cases.TAKEN  # its rules are among them once it is imported

HTTP, TCP, FILE = (f"events-input-{name}.conf" for name in ("http", "tcp", "file"))
FILTER, OUTPUT, REJECTS, DEAD = "events-filter.conf", "events-output.conf", "rejects.conf", "deadletters.conf"
ID = r"\A[A-Za-z0-9._:-]{1,128}\z"

BREAKS = {
    "an option by its obsolete name": (OUTPUT, "ssl_enabled => true", "ssl => true"),
    "an option that is misspelt": (HTTP, "max_content_length", "max_content_lenght"),
    "a plugin that Logstash doesn't bring along": (FILTER, "fingerprint {", "json_encode {"),
    "a port that is a word": (TCP, '"${MLLOG_TCP_PORT:8081}"', '"tcp"'),
    "a plugin without an id": (FILTER, 'id => "mllog_stamp"', ""),
    "two plugins of one id": (REJECTS, '"mllog_rejects_cut"', '"mllog_rejects_shape"'),
    "a setting that is misspelt": ("logstash.yml", "queue.type", "queue.typ"),
    "a queue in memory": ("logstash.yml", "queue.type: persisted", "queue.type: memory"),
    "a queue in memory of one pipeline": ("pipelines.yml", "queue.max_bytes: 256mb", "queue.type: memory\n  queue.max_bytes: 256mb"),
    "a queue without room for a page": ("pipelines.yml", "queue.max_bytes: 256mb", "queue.max_bytes: 32mb"),
    "a crashed pipeline that stays down": ("logstash.yml", "config.reload.automatic: true", "config.reload.automatic: false"),
    "no dead-letter queue": ("pipelines.yml", "dead_letter_queue.enable: true", "dead_letter_queue.enable: false"),
    "413 for ever": (OUTPUT, "dlq_custom_codes => [413]", ""),
    "dead letters that are dropped": (OUTPUT, "dlq_custom_codes => [413]", 'dlq_custom_codes => [413]\n      drop_error_types => ["document_parsing_exception"]'),
    "dead letters of another pipeline": (DEAD, 'pipeline_id => "mllog-events"', 'pipeline_id => "main"'),
    "dead letters that are gone once they were read": (DEAD, "commit_offsets => true", "commit_offsets => true\n    clean_consumed => true"),
    "an address where nobody listens": (REJECTS, 'address => "mllog-rejects"', 'address => "rejects"'),
    "@metadata that stays": (FILTER, 'remove_field => ["@metadata", "@version"]', 'remove_field => ["@version"]'),
    "@version that stays": (FILTER, 'remove_field => ["@metadata", "@version"]', 'remove_field => ["@metadata"]'),
    "@metadata that goes only sometimes": (FILTER, 'mutate {\n    id => "mllog_drop_metadata"', 'if [event] { drop { id => "x" } }\n  mutate {\n    id => "mllog_drop_metadata"'),
    "documents that are overwritten": (OUTPUT, 'action => "create"', 'action => "index"'),
    "no action": (OUTPUT, 'action => "create"', ""),
    "no id": (OUTPUT, 'document_id => "%{[event][id]}"', ""),
    "streams that a client names": (OUTPUT, 'data_stream => "false"', 'data_stream => "auto"'),
    "a template of Logstash's": (OUTPUT, "manage_template => false", "manage_template => true"),
    "an ingest pipeline that a client names": (OUTPUT, 'action => "create"', 'action => "create"\n      pipeline => "%{[event][kind]}"'),
    "an index that a client names": (OUTPUT, "%{[@metadata][dataset]}", "%{[event][dataset]}"),
    "a namespace that a client names": (OUTPUT, "${MLLOG_NAMESPACE:default}", "%{[data_stream][namespace]}"),
    "a namespace of somebody else's": (FILTER, "${MLLOG_NAMESPACE:default}", "production"),
    "an id that nobody looked at": (OUTPUT, rf" and [event][id] =~ /{ID}/", ""),
    "an id that was looked at in part": (OUTPUT, ID, r"[A-Za-z0-9._:-]{1,128}"),
    "an id that is too long": (FILTER, "{1,128}", "{1,512}"),
    "an id of a reject that is the client's": (REJECTS, 'document_id => "%{[@metadata][id]}"', 'document_id => "%{[event][id]}"'),
    "rejects that are not told apart": (REJECTS, 'source => ["[event][original]"]', 'source => ["[event][action]"]'),
    "a password that is written out": (OUTPUT, '"${MLLOG_WRITER_PASSWORD}"', '"changeme"'),
    "a password with a default": (HTTP, '"${MLLOG_LOGSTASH_PASSWORD}"', '"${MLLOG_LOGSTASH_PASSWORD:changeme}"'),
    "no password": (HTTP, 'password => "${MLLOG_LOGSTASH_PASSWORD}"', ""),
    "http without TLS": (HTTP, "ssl_enabled => true", "ssl_enabled => false"),
    "a certificate that nobody looks at": (OUTPUT, 'ssl_verification_mode => "full"', 'ssl_verification_mode => "none"'),
    "Elasticsearch without TLS": (DEAD, "https://elasticsearch", "http://elasticsearch"),
    "an authority that one pipeline doesn't know": (REJECTS, "ssl_certificate_authorities =>", "ssl_cipher_suites =>"),
    "the json codec for NDJSON": (HTTP, '"application/x-ndjson" => "json_lines"', '"application/x-ndjson" => "json"'),
    "the json codec for JSON": (HTTP, '"application/x-ndjson" => "json_lines"', '"application/x-ndjson" => "json_lines" "application/json" => "json"'),
    "no codec for NDJSON": (HTTP, "codec => json_lines { decode_size_limit_bytes => 33554432 }", "codec => plain"),
    "another code of success": (HTTP, "max_content_length =>", "response_code => 202\n    max_content_length =>"),
    "lines that are longer than the input takes": (HTTP, "max_content_length => 33554432", "max_content_length => 1048576"),
    "http with ECS": (HTTP, 'ecs_compatibility => "disabled"', 'ecs_compatibility => "v8"'),
    "http headers in the event": (HTTP, "[@metadata][headers]", "[headers]"),
    "the client's address over its host": (HTTP, 'remote_host_target_field => "[@metadata][remote_host]"', ""),
    "codecs with ECS": ("logstash.yml", "pipeline.ecs_compatibility: disabled", "pipeline.ecs_compatibility: v8"),
    "tcp without ECS": (TCP, 'ecs_compatibility => "v8"', 'ecs_compatibility => "disabled"'),
    "tcp for everybody": (TCP, "127.0.0.1", "0.0.0.0"),
    "tcp lines without a bound": (TCP, "json_lines { decode_size_limit_bytes => 33554432 }", '"json_lines"'),
    "files that are deleted": (FILE, 'mode => "tail"', 'mode => "read"'),
    "files from their end on": (FILE, "beginning", "end"),
    "files without ECS": (FILE, 'ecs_compatibility => "v8"', 'ecs_compatibility => "disabled"'),
    "the event twice": (FILE, 'json { ecs_compatibility => "disabled" }', 'json { ecs_compatibility => "v8" }'),
    "files that are forgotten": (FILE, "400 days", "14 days"),
    "a path that stays in the event": (FILTER, '"data_stream", "log"', '"data_stream"'),
    "a data stream that stays the client's": (FILTER, 'remove_field => ["data_stream", "log"]', 'remove_field => ["log"]'),
    "409 in the log": (OUTPUT, 'silence_errors_in_log => ["version_conflict_engine_exception"]', ""),
    "Ruby that nobody ran": (REJECTS, "|| event.to_json", "|| event.to_hash.to_s"),
    "a dead letter of any size": (DEAD, "length_bytes => 1048576", "length_bytes => 1073741824"),
    "a reason without its answer": (DEAD, "(?m).*, response: ", ".*, action: .*"),
    "a status that an event names": (DEAD, r"/\ACould not index event to Elasticsearch\. status: 404,/", "/status: 410/"),
    "names with upper case": (FILTER, 'lowercase => ["[@metadata][name]"]', ""),
    "names with other letters": (FILTER, "[^A-Za-z0-9_.]", "[^A-Za-z0-9_.-]"),
    "names with a Kelvin sign": (FILTER, "\u212a", "K"),
    "names with a dotted I": (FILTER, '"\u0130", "i_"', '"\u0130", "i"'),
    "lower case of any letters": (FILTER, '      mutate {\n        id => "mllog_name_letters"', '      mutate {\n        id => "mllog_name_lower"\n        lowercase => ["[@metadata][name]"]\n      }\n      mutate {\n        id => "mllog_name_letters"'),
    "names of another length": (FILTER, "length_bytes => 60", "length_bytes => 80"),
    "names with another hash": (FILTER, 'method => "SHA256"', 'method => "SHA1"'),
    "names with a longer hash": (FILTER, "length_bytes => 6\n", "length_bytes => 8\n"),
    "a hash of what is left of a name": (FILTER, 'source => ["[ml][model][name]"]', 'source => ["[@metadata][name]"]'),
    "a name that is copied when its letters are done": (FILTER, '        copy => { "[ml][model][name]" => "[@metadata][name]" }\n      }', "      }"),
    "a name that is no text": (FILTER, r"if [ml][model][name] =~ /\S/ {", "if [ml][model][name] {"),
    "a dataset that isn't the model's": (FILTER, "if [@metadata][dataset] != [event][dataset] {", "if ![@metadata][dataset] {"),
    "dead letters of a client's": (FILTER, '"mllog.metric" {', '"mllog.metric" or [event][dataset] == "mllog.deadletter" {'),
    "a kind that is forgotten": (FILTER, r"mllog\.label\.", r"mllog\.labels\."),
    "times that are none": (FILTER, '"_timestampparsefailure"', '"_dateparsefailure"'),
    "the client's time of arrival": (FILTER, 'replace => { "[event][ingested]" => "%{{TIME_NOW}}" }', 'coerce => { "[event][ingested]" => "%{{TIME_NOW}}" }'),
    "no time of arrival": (FILTER, 'replace => { "[event][ingested]" => "%{{TIME_NOW}}" }', ""),
    "rejects without their reason": (REJECTS, "%{[@metadata][reason]}", "rejected"),
    "rejects that are lost": (OUTPUT, "} else {", "} else if [event] {"),
    "a failure that a client tells": (FILTER, " and ![event]", ""),
}  # fmt: skip
"""What is broken -> file, what stands there, and what stands there instead."""


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_copy_is_caught(name: str) -> None:
    """Each break, alone, breaks a sentence."""
    files = pipelines.texts()
    file, text, instead = BREAKS[name]
    assert text in files[file], "nothing would be broken"
    files[file] = files[file].replace(text, instead, 1)
    assert next(broken(pipelines.read(files)), None)


@pytest.mark.parametrize(("text", "instead"), [("input {", "input"), ("=>", "="), ("}\n", "")])
def test_what_is_no_pipeline_is_no_tree(text: str, instead: str) -> None:
    """The grammar knows an unclosed brace, and an option without its arrow."""
    files = pipelines.texts()
    files[HTTP] = files[HTTP].replace(text, instead, 1)
    with pytest.raises(ParseError):
        pipelines.read(files)
