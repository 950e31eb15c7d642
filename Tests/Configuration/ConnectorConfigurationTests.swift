import Configuration
import Pricing
import Testing

@Suite struct ConnectorConfigurationTests {
    private func check(_ lines: String) -> (connectors: [ConnectorConfiguration], diagnostics: [ConfigurationDiagnostic]) {
        let result = ConfigurationFile.check("CONNECTOR a <\n\(lines)\n>")
        return (result.connectors, result.diagnostics)
    }

    @Test("defaults are EMG's") func defaults() throws {
        let connector = try #require(check("TYPE=incoming\nPROTOCOL=smpp\nADDRESS=[::1]\nUSERDB=emg").connectors.first)
        #expect(connector.direction == .incoming)
        #expect(connector.protocolName == "SMPP")
        #expect(connector.addresses == [Endpoint(host: "::1", port: 2775)])
        #expect(connector.windowSize == .fixed(1))
        #expect(connector.instances == 1)
        #expect(connector.mode == .both)
        #expect(!connector.isStatic)
        #expect(connector.keepaliveSeconds == 0)
        #expect(connector.dlrSupport)
        #expect(connector.userDatabase == "emg")
        #expect(connector.maxQueueSize == nil)
    }

    @Test("every option is read with its type") func options() throws {
        let (connectors, diagnostics) = check(
            """
            TYPE=OUTGOING
            PROTOCOL=SMPP
            ADDRESS=a.example:2775, [2001:db8::1]:2776
            ADDRESS=192.0.2.7
            INSTANCES=4
            MODE=TX
            STATIC=1
            KEEPALIVE=60
            IDLETIMEOUT=90
            USERNAME=provider
            PASSWORD=geheim
            WINDOWSIZE=auto
            MAXQUEUESIZE=1000
            THROUGHPUT=50
            DLR_SUPPORT=0
            DEFAULT_CHARGE=0.02
            SYSTEMTYPE=vma
            """)
        #expect(diagnostics.allSatisfy { $0.severity == .warning })
        let connector = try #require(connectors.first)
        #expect(
            connector.addresses == [
                Endpoint(host: "a.example", port: 2775), Endpoint(host: "2001:db8::1", port: 2776), Endpoint(host: "192.0.2.7", port: 2775),
            ])
        #expect(connector.instances == 4)
        #expect(connector.mode == .transmit)
        #expect(connector.isStatic)
        #expect(connector.keepaliveSeconds == 60)
        #expect(connector.idleTimeoutSeconds == 90)
        #expect(connector.password?.revealed == "geheim")
        #expect(connector.windowSize == .automatic)
        #expect(connector.maxQueueSize == 1_000)
        #expect(connector.throughputPerSecond == 50)
        #expect(!connector.dlrSupport)
        #expect(connector.defaultCharge == Money(micros: 20_000))
        #expect(connector.systemType == "vma")
        var dumped = ""
        dump(connector, to: &dumped)
        #expect(!dumped.contains("geheim") && !"\(connector)".contains("geheim"))
    }

    @Test(
        "parts wait for each other only where the connector says so",
        arguments: [("", nil), ("REASSEMBLE", 300), ("REASSEMBLE=1\nREASSEMBLETIME=5", 5), ("REASSEMBLE=0\nREASSEMBLETIME=5", nil)]
            as [(String, Int?)])
    func reassembly(lines: String, seconds: Int?) {
        let connectors = check("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERDB\n" + lines).connectors
        #expect(connectors.map(\.text.reassemblySeconds) == [seconds])
    }

    @Test("all faults of a section are reported together") func faultsTogether() {
        let (connectors, diagnostics) = check(
            "TYPE=SIDEWAYS\nPROTOCOL=SMMP\nADDRESS=host:99999\nINSTANCES=0\nMODE=up\nWINDOWSIZE=x\nSTATIC=perhaps\nKEEPALIVE=-1")
        #expect(connectors.isEmpty)
        #expect(diagnostics.count { $0.severity == .error } == 7)
        #expect(Set(diagnostics.map(\.line)) == [2, 3, 5, 6, 7, 8, 9])
    }

    @Test(
        "what contradicts itself is named",
        arguments: [
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1", "USERNAME is missing"),
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=a234567890123456", "15 octets"),
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:0\nUSERNAME=a", "port 0"),
            ("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1", "nobody can log in"),
            ("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERDB\nSTATIC", "STATIC means nothing"),
            ("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERDB\nKEEPALIVE=60\nIDLETIMEOUT=30", "before its first keep-alive"),
            ("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERDB\nVP=60", "VP has no effect: it is for outgoing connectors"),
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=a\nPARKTIME=60", "PARKTIME has no effect: it is for incoming"),
            ("TYPE=INCOMING\nPROTOCOL=UCP\nADDRESS=h:1\nUSERDB", "not supported yet"),
            ("TYPE=INCOMING\nPROTOCOL=UCP\nADDRESS=h\nUSERDB", "host:port"),
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=a\nREDIRECT=nowhere", "no such connector"),
            ("TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=a\nREASSEMBLETIME=9", "no effect without REASSEMBLE"),
            ("TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERDB\nREASSEMBLE\nREASSEMBLETIME=0", "from 1 to 86400"),
        ])
    func contradictions(lines: String, words: String) {
        let diagnostics = check(lines).diagnostics
        #expect(diagnostics.contains { $0.message.contains(words) }, "\(diagnostics)")
    }

    @Test("two connectors cannot listen at one place, and USERDB names a DB section that is there") func acrossSections() {
        let text = """
            DB emg <
            >
            CONNECTOR a <
            TYPE=INCOMING
            PROTOCOL=SMPP
            ADDRESS=h:1
            USERDB=egm
            >
            CONNECTOR b <
            TYPE=INCOMING
            PROTOCOL=SMPP
            ADDRESS=h:1
            USERDB=emg
            >
            """
        let diagnostics = ConfigurationFile.check(text).diagnostics
        #expect(diagnostics.map(\.line) == [7, 12])
        #expect(diagnostics.first?.message.contains("did you mean emg?") == true)
    }

    @Test(
        "addresses",
        arguments: [
            ("host:1", "host:1"), ("[::]:2775", "[::]:2775"), ("0.0.0.0", "0.0.0.0:2775"), ("[::1]", "[::1]:2775"), ("", nil), (":1", nil),
            ("a:", nil), ("a:-1", nil), ("a:65536", nil), ("[::1", nil), ("[::1]x", nil), ("[a]:1", nil), ("a b:1", nil), ("::1", nil),
        ] as [(String, String?)])
    func endpoints(text: String, expected: String?) {
        #expect(Endpoint(text, defaultPort: 2775)?.description == expected)
    }

    @Test("a difference names what comes and what goes, without passwords") func difference() {
        let old = ConfigurationParser.parse("ROUTELOGDB\nCONNECTOR a <\nTYPE=OUTGOING\nPASSWORD=old\n>\nCONNECTOR b <\n>").file
        let new = ConfigurationParser.parse("ROUTELOGDB\nCONNECTOR c <\n>\nCONNECTOR a <\nTYPE=OUTGOING\nPASSWORD=new\nSTATIC\n>").file
        let difference = ConfigurationDifference(from: old, to: new)
        #expect(
            difference.lines == [
                "+ CONNECTOR c", "~ CONNECTOR a", "    - PASSWORD=***", "    + PASSWORD=***", "    + STATIC", "- CONNECTOR b",
            ])
        #expect(ConfigurationDifference(from: new, to: new).isEmpty)
    }
}
