import Configuration
import Testing

@Suite struct `What a configuration says of the services' logs` {
    static func read(_ type: String, _ lines: String, general: String = "") -> ([ConnectorConfiguration], [ConfigurationDiagnostic]) {
        let more = type == "INCOMING" ? "USERDB" : "USERNAME=u"
        let text = general + "CONNECTOR c <\nTYPE=\(type)\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\n\(more)\n\(lines)\n>\n"
        let (_, connectors, diagnostics) = ConfigurationFile.check(text)
        return (connectors, diagnostics)
    }

    @Test(
        arguments: [
            ("DEBUG2", .trace), ("DEBUG", .debug), ("info", .info), ("Notice", .notice), ("WARNING", .warning), ("WARN", .warning),
            ("ERROR", .error), ("CRITICAL", .critical),
        ] as [(String, LogLevel)])
    func `levels have EMG's names and ours`(word: String, level: LogLevel) throws {
        let (connectors, diagnostics) = Self.read(
            "INCOMING", "LOGLEVEL=\(word)\nPDULOG\nMESSAGELENGTH=300", general: "LOGLEVEL=\(word)\nCONNECTOR_LOGLEVEL=\(word)\nPDULOG=0\n")
        #expect(diagnostics.isEmpty, "\(diagnostics)")
        let connector = try #require(connectors.first)
        #expect(connector.trace == TraceOptions(level: level, logsPDUs: true) && connector.messageLengthOctets == 300)
    }

    @Test(
        arguments: [
            ("LOGLEVEL=LOUD\n", 1, "not LOUD"), ("CONNECTOR_LOGLEVEL\n", 1, "not nothing"), ("PDULOG=maybe\n", 1, "not maybe"),
        ] as [(String, Int, String)])
    func `what is no level is refused`(general: String, line: Int, words: String) {
        let (_, diagnostics) = Self.read("INCOMING", "", general: general)
        #expect(diagnostics.map(\.severity) == [.error] && diagnostics[0].line == line && diagnostics[0].message.contains(words))
        #expect(Self.read("INCOMING", "LOGLEVEL=LOUD").1.contains { $0.severity == .error && $0.line == 6 })
    }

    @Test func `a limit for clients says that it is none for providers`() {
        let (_, diagnostics) = Self.read("OUTGOING", "MESSAGELENGTH=300\nPDULOG=1")
        #expect(diagnostics.map(\.severity) == [.warning] && diagnostics[0].message.contains("LONGMESSAGE"))
    }
}
