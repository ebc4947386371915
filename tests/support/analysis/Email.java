package mllog.tests;

import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.standard.StandardTokenizer;
import org.elasticsearch.plugin.NamedComponent;
import org.elasticsearch.plugin.analysis.TokenFilterFactory;
import org.elasticsearch.plugin.analysis.TokenizerFactory;

/**
 * What the index of users, roles and API keys asks for to analyse addresses, and the distribution of Maven Central lacks.
 * Nobody looks for an address here, so it splits words and passes them on.
 */
public final class Email {
    @NamedComponent("uax_url_email")
    public static final class Words implements TokenizerFactory {
        @Override
        public Tokenizer create() {
            return new StandardTokenizer();
        }
    }

    @NamedComponent("pattern_capture")
    public static final class Capture implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream stream) {
            return stream;
        }
    }

    @NamedComponent("unique")
    public static final class Unique implements TokenFilterFactory {
        @Override
        public TokenStream create(TokenStream stream) {
            return stream;
        }
    }
}
