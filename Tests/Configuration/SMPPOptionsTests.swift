import Testing

@testable import Configuration

@Suite struct SMPPOptionsTests {
    private static func connector(_ lines: String, type: String = "OUTGOING") -> ConnectorConfiguration? {
        ConfigurationFile.check("CONNECTOR a <\nTYPE=\(type)\nPROTOCOL=SMPP\nADDRESS=a:1\nUSERNAME=x\nPASSWORD=x\n\(lines)\n>").connectors
            .first
    }

    private static func complaints(_ lines: String, type: String = "OUTGOING") -> [String] {
        let text = "CONNECTOR a <\nTYPE=\(type)\nPROTOCOL=SMPP\nADDRESS=a:1\nUSERNAME=x\nPASSWORD=x\nUSERDB\n\(lines)\n>"
        return ConfigurationFile.check(text).diagnostics.map(\.message)
    }

    @Test func `the keywords are read`() throws {
        let connector = try #require(
            Self.connector(
                "MESSAGEMODE=store\nNATIONALLANGUAGES=Turkish, spanish,turkish\nFORCE_DESTADDR=46701\nUSEPRIORITY=0\n"
                    + "OUTBINDLISTEN=h:3\nOUTBINDSYSTEMID=smsc\nOUTBINDPASSWORD=secret"))
        let smpp = connector.smpp
        #expect(smpp.messageMode == .storeAndForward && smpp.nationalLanguages == ["turkish", "spanish"])
        #expect(smpp.forcedDestination == "46701" && !smpp.usesPriority && smpp.outbindSystemID == "smsc")
        #expect(smpp.outbindPassword?.matches("secret") == true)
        let plain = try #require(Self.connector(""))
        #expect(plain.smpp == SMPPOptions())
    }

    @Test(
        arguments: [
            ("MESSAGEMODE=sometimes", "OUTGOING", "MESSAGEMODE is DEFAULT"),
            ("NATIONALLANGUAGES=klingon", "OUTGOING", "no tables for klingon"),
            ("FORCE_DESTADDR=123456789012345678901", "OUTGOING", "at most 20 octets"),
            ("OUTBINDPASSWORD=x", "OUTGOING", "nothing without OUTBINDLISTEN"), ("MESSAGEMODE=store", "INCOMING", "means nothing"),
            ("USERS=/etc/users", "OUTGOING", "means nothing"),
        ] as [(String, String, String)])
    func `what makes no sense is said`(lines: String, type: String, complaint: String) {
        #expect(Self.complaints(lines, type: type).contains { $0.contains(complaint) })
    }

    @Test(arguments: [("a", true), ("", false), ("b", false), ("aa", false), ("A", false)])
    func `a secret fits itself only`(text: String, fits: Bool) {
        #expect(Secret("a").matches(text) == fits)
    }

    @Test func `a file of users has a name and a password in each line`() {
        let (users, faults) = UsersFile.parse("# our clients\n\nshop secret\n  bank:s3 cret \r\nshop  newer\nnobody\n:x\n")
        #expect(users["shop"]?.password.revealed == "newer" && users["bank"]?.password.revealed == "s3 cret" && users.count == 2)
        #expect(faults.map(\.line) == [6, 7])
    }
}
