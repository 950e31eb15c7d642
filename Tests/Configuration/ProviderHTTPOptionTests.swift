import HTTPProvider
import Testing

@testable import Configuration

struct `Connectors to HTTP providers` {
    static func check(_ lines: String) -> (connectors: [ConnectorConfiguration], diagnostics: [ConfigurationDiagnostic]) {
        let (_, connectors, diagnostics) = ConfigurationFile.check("CONNECTOR out <\nTYPE=OUTGOING\nPROTOCOL=HTTP\n\(lines)\n>\n")
        return (connectors, diagnostics)
    }

    @Test func `EMG's keywords alone make one`() throws {
        let (connectors, diagnostics) = Self.check("ADDRESS=http://a.example/send\nDEFAULT_SMSCOP=POST\nXAUTHUSERNAME=u\nXAUTHPASSWORD=p")
        #expect(diagnostics.isEmpty)
        let http = try #require(connectors.first?.providerHTTP)
        #expect(http.request.isEMG && http.request.method == "POST" && http.longMessages == .payload && http.onTimeout == .retry)
        #expect(http.answers == .emg && http.callback == nil && connectors[0].dlrSupport == false && connectors[0].outgoing.tls == nil)
    }

    @Test func `the address may stand in SUBADDRESS, and https needs no SSL`() throws {
        for lines in ["ADDRESS=a.example:80\nSUBADDRESS=/send", "ADDRESS=x\nSUBADDRESS=http://a.example:80/send"] {
            let connector = try #require(Self.check(lines).connectors.first)
            #expect(connector.providerHTTP?.request.request(for: values).url.hasPrefix("http://a.example:80/send?") ?? false)
        }
        let (connectors, diagnostics) = Self.check("ADDRESS=https://a.example/\nSSL_VERIFY=CHAIN")
        #expect(diagnostics.isEmpty && connectors.first?.outgoing.tls?.verification == .chain)
    }

    private var values: MessageValues {
        MessageValues(source: .init(number: "1", ton: 1, npi: 1), destination: .init(number: "2", ton: 1, npi: 1))
    }

    @Test func `lines of a body and of headers come in their order`() throws {
        let (connectors, diagnostics) = Self.check(
            """
            ADDRESS=http://a.example/
            HTTP_BODY={
            HTTP_BODY="\\"to\\": \\"${DESTADDR}\\" }"
            HTTP_HEADER=X-A: 1
            HTTP_HEADER=X-B: ${TOKEN}
            HTTP_TOKEN=geheim
            """)
        #expect(diagnostics.isEmpty)
        let request = try #require(connectors.first?.providerHTTP?.request.request(for: values))
        #expect(String(decoding: request.body, as: UTF8.self) == "{\n\"to\": \"2\" }")
        #expect(request.headers.map(\.value) == ["1", "geheim", "application/json"])
    }

    @Test(
        arguments: [
            ("HTTP_PARAM=to=${DESTADDR}\nHTTP_PARAM=x=${NUMBER}", 6, "${NUMBER}"), ("HTTP_HEADER=Host: a", 5, "Host"),
            ("HTTP_BODY=\"to\": 1", 5, "behind its closing quote"),
            ("HTTP_BODY=${MESSAGE|upper}", 5, "upper"), ("HTTP_METHOD=SEND", 5, "SEND"), ("HTTP_SUCCESS=2x", 5, "2x"),
            ("HTTP_SUCCESSIF=body\nHTTP_SUCCESSIF=jason:a", 6, "jason"), ("HTTP_ID=json:$.a[", 5, "JSON path"),
            ("HTTP_ERROR=regex:(", 5, "regular expression"), ("ERRORMAP=0x58=throttle", 5, "0x58"), ("LONGMESSAGE=SAR", 5, "SAR"),
            ("DEFAULT_SMSCOP=PUT", 5, "GET or POST"), ("DEFAULT_CHARCODE_TEXT=GSM", 5, "UTF8"), ("SSL=1", 5, "https"),
            ("XAUTHPASSWORD=x", 5, "XAUTHUSERNAME"), ("HTTP_TOKENHEADER=X", 5, "HTTP_TOKEN"),
            ("CALLBACK_ID=param:id", 5, "CALLBACK_LISTEN"),
            ("CALLBACK_LISTEN=:1", 5, "host:port"), ("CALLBACK_LISTEN=a:1\nCALLBACK_STATUS=body", 5, "CALLBACK_MSGID"),
            ("CALLBACK_LISTEN=a:1\nCALLBACK_ID=body", 1, "CALLBACK_STATUS is missing"),
            ("CALLBACK_LISTEN=a:1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\nCALLBACK_STATUSMAP=1=SEEN", 8, "1=SEEN"),
            ("CALLBACK_LISTEN=a:1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\nCALLBACK_ACCESS=home", 8, "home"),
            ("CALLBACK_LISTEN=a:1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\nCALLBACK_PATH=x y", 8, "path"),
            ("MO_ID=param:id", 5, "CALLBACK_LISTEN"), ("CALLBACK_LISTEN=a:1\nMO_ID=param:id", 1, "MO_SOURCEADDR is missing"),
            ("CALLBACK_LISTEN=a:1\nMO_SOURCEADDR=param:f\nMO_MESSAGE=body", 6, "MO_DESTADDR"),
            ("CALLBACK_LISTEN=a:1\nMO_SOURCEADDR=param:f\nMO_MESSAGE=body\nMO_DEFAULT_CHARSET=EBCDIC", 8, "EBCDIC"),
            ("CALLBACK_LISTEN=a:1\nMO_SOURCEADDR=param:f\nMO_MESSAGE=body\nMO_DEFAULT_DESTADDR=1\nMO_BINARYIF=x = 1", 9, "json:PATH"),
            (
                "CALLBACK_LISTEN=a:1\nMO_SOURCEADDR=param:f\nMO_MESSAGE=body\nMO_DEFAULT_DESTADDR=1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\n"
                    + "CALLBACK_PATH=/x\nMO_PATH=/x", 12, "both /x"
            ),
            ("CALLBACK_LISTEN=a:1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\nCALLBACK_SSL_CAFILE=x", 8, "CALLBACK_SSL_KEYFILE"),
        ])
    func `a mistake is told with its line`(lines: String, line: Int, word: String) {
        let errors = Self.check("ADDRESS=http://a.example/\n\(lines)").diagnostics.filter { $0.severity == .error }
        #expect(errors.contains { $0.line == line && $0.message.contains(word) }, "\(errors)")
    }

    @Test func `its keywords belong to it alone, and those of SMPP sessions mean nothing to it`() {
        let (_, _, smpp) = ConfigurationFile.check(
            "CONNECTOR a <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=a:1\nUSERNAME=u\nHTTP_ID=body\n>\n")
        #expect(smpp.contains { $0.severity == .error && $0.line == 6 })
        let http = Self.check("ADDRESS=http://a.example/\nOUTBINDLISTEN=a:1").diagnostics
        #expect(http.map(\.severity) == [.warning])
    }

    @Test func `reports and messages have their own paths at one listener, behind one certificate`() throws {
        let (connectors, diagnostics) = Self.check(
            """
            ADDRESS=http://a.example/
            CALLBACK_LISTEN=127.0.0.1:1
            CALLBACK_SSL_KEYFILE=key.pem
            CALLBACK_SSL_CAFILE=ca.pem
            CALLBACK_ID=param:id
            CALLBACK_STATUS=param:s
            MO_SOURCEADDR=param:from
            MO_DEFAULT_DESTADDR=72345
            MO_MESSAGE=param:text
            MO_ANSWER=
            """)
        #expect(diagnostics.map(\.message) == ["connector out: MO_ANSWER needs a value"] && connectors.isEmpty)
        let good = Self.check(
            "ADDRESS=http://a.example/\nCALLBACK_LISTEN=127.0.0.1:1\nCALLBACK_SSL_KEYFILE=key.pem\nCALLBACK_SSL_CAFILE=ca.pem\n"
                + "CALLBACK_ID=param:id\nCALLBACK_STATUS=param:s\nMO_SOURCEADDR=param:from\nMO_DEFAULT_DESTADDR=72345\nMO_MESSAGE=body")
        let callback = try #require(good.connectors.first?.providerHTTP?.callback)
        #expect(callback.reports?.path == "/reports/out" && callback.messages?.path == "/messages/out")
        #expect(callback.tls?.certificateFile == "key.pem" && callback.tls?.clientCertificate == .required)
    }

    @Test func `connectors at one listener show one certificate`() {
        func connector(_ name: String, _ more: String) -> String {
            "CONNECTOR \(name) <\nTYPE=OUTGOING\nPROTOCOL=HTTP\nADDRESS=http://a/\nCALLBACK_LISTEN=h:1\nCALLBACK_ID=body\n"
                + "CALLBACK_STATUS=body\n\(more)>\n"
        }
        let (_, _, diagnostics) = ConfigurationFile.check(connector("a", "") + connector("b", "CALLBACK_SSL_KEYFILE=k\n"))
        #expect(diagnostics.count == 1 && diagnostics.first?.message.contains("CALLBACK_SSL") ?? false)
    }

    @Test func `two connectors cannot take the same calls`() {
        let one = "TYPE=OUTGOING\nPROTOCOL=HTTP\nADDRESS=http://a/\nCALLBACK_LISTEN=h:1\nCALLBACK_ID=body\nCALLBACK_STATUS=body\n"
        func faults(_ more: String) -> Int {
            ConfigurationFile.check("CONNECTOR a <\n\(one)\(more)>\nCONNECTOR b <\n\(one)\(more)>\n").diagnostics.count
        }
        #expect(faults("") == 0 && faults("CALLBACK_PATH=/x\n") == 1)
    }

    @Test func `a token is a secret`() {
        #expect(ConfigurationEntry(key: "HTTP_TOKEN", value: "x").description == "HTTP_TOKEN=***")
        #expect(ConfigurationEntry(key: "HTTP_TOKENHEADER", value: "x").description == "HTTP_TOKENHEADER=x")
    }
}
