import Configuration
import Testing

@Suite struct `Keywords of the message log` {
    private static let connector = "TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=a"

    private func check(_ general: String, _ lines: String) -> (options: LogOptions?, diagnostics: [ConfigurationDiagnostic]) {
        let result = ConfigurationFile.check("\(general)\nCONNECTOR c <\n\(Self.connector)\n\(lines)\n>\n")
        return (result.connectors.first?.log, result.diagnostics)
    }

    @Test(
        "are read, and none of them is called unsupported",
        arguments: [
            ("", LogOptions()), ("DISABLE_MESSAGEBODY", LogOptions(disablesBody: true)),
            ("DISABLE_MESSAGEBODY=0\nDISABLE_MESSAGEOPTION=yes", LogOptions(disablesBody: false, disablesOptions: true)),
        ])
    func read(lines: String, expected: LogOptions) {
        let (options, diagnostics) = check("DISABLE_MESSAGEBODY\nDISABLE_MESSAGEOPTION=0\nLOGRETENTION=90", lines)
        #expect(options == expected)
        #expect(diagnostics.isEmpty, "\(diagnostics)")
    }

    @Test("are refused with the line", arguments: ["LOGRETENTION", "LOGRETENTION=-1", "LOGRETENTION=90d", "DISABLE_MESSAGEBODY=perhaps"])
    func refused(line: String) {
        let errors = check(line, "").diagnostics.filter { $0.severity == .error }
        #expect(errors.map(\.line) == [1])
    }
}
