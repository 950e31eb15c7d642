import Configuration
import Testing

@Suite struct ParserTests {
    @Test("entries, sections, comments, blanks and quotes are read") func syntax() {
        let (file, diagnostics) = ConfigurationParser.parse(
            """
            # a comment
              ROUTELOGDB
            dbprofile = emg   # another

            CONNECTOR in1 <\u{20}\u{20}
              ADDRESS=[::]:2775
              ADDRESS=192.0.2.1:2776
              PASSWORD="a # b \\"c\\" \\\\"
              USERNAME=x#y
              STATIC
            >
            DB emg <
            HOST=
            >
            """)
        #expect(diagnostics.isEmpty)
        #expect(file.general.map(\.key) == ["ROUTELOGDB", "DBPROFILE"])
        #expect(file.general.map(\.value) == [nil, "emg"])
        #expect(file.sections.map(\.name) == ["in1", "emg"])
        let connector = file.sections[0]
        #expect(connector.line == 5)
        #expect(connector.all("ADDRESS").map(\.value) == ["[::]:2775", "192.0.2.1:2776"])
        #expect(connector.last("PASSWORD")?.value == #"a # b "c" \"#)
        #expect(connector.last("USERNAME")?.value == "x#y")
        #expect(connector.last("STATIC")?.line == 10)
        #expect(file.sections[1].last("HOST")?.value == "")
    }

    @Test("what is printed reads back the same, and shows no password unless told to") func roundTrip() {
        let text = """
            ROUTELOGDB

            CONNECTOR a <
            TYPE=OUTGOING
            ADDRESS=h:1
            PASSWORD=" x # \\" \\\\ "
            USERNAME=""
            STATIC
            >

            """
        let file = ConfigurationParser.parse(text).file
        #expect(file.rendered(hidingSecrets: false) == text)
        let hidden = file.rendered(hidingSecrets: true)
        #expect(hidden.contains("PASSWORD=***"))
        #expect(!"\(file) \(hidden)".contains("x #"))
        var dumped = ""
        dump(file, to: &dumped)
        #expect(!dumped.contains("x #"))
    }

    @Test("What is shown with hidden passwords can be applied again; a hidden password of nothing is an error")
    func hiddenSecretsComeBack() throws {
        let current = ConfigurationParser.parse("CONNECTOR a <\nPASSWORD=geheim\n>\n").file
        let shown = ConfigurationParser.parse(current.rendered(hidingSecrets: true)).file
        #expect(shown.sections.first?.last("PASSWORD")?.value == "***")
        let (again, unknown) = shown.revealing(from: current)
        #expect(unknown.isEmpty)
        #expect(again.rendered(hidingSecrets: false) == current.rendered(hidingSecrets: false))

        let other = ConfigurationParser.parse("CONNECTOR b <\nPASSWORD=***\nSYSTEMTYPE=***\n>\n").file
        let fault = try #require(other.revealing(from: current).unknown.first)
        #expect(fault.description == "line 2: error: CONNECTOR b: PASSWORD=*** keeps a password, and there is none yet")
        #expect(other.revealing(from: current).unknown.count == 1)
    }

    @Test(
        "each fault is found on its line with what to do",
        arguments: [
            ("KEEPALVE=3", 1, "did you mean KEEPALIVE?"), ("STATIC", 1, "it belongs in a CONNECTOR section"),
            ("CONECTOR a <\n>", 1, "did you mean CONNECTOR?"), (">", 1, "closes no section"), ("CONNECTOR <\n>", 1, "needs a name"),
            ("CONNECTOR a b <\n>", 1, "one word"), ("CONNECTOR a <\nDB b <\n>", 2, "closed with >"),
            ("\nDB b <\nHOST=x", 2, "not closed"), ("DBPROFILE=\"x", 1, "not closed"), ("two words", 1, "expected KEY=value"),
            ("=x", 1, "expected KEY=value"), ("DB a <\n>\nDB a <\n>", 3, "described in line 1"),
            ("CONNECTOR a <\nPORT=5\n>", 2, "it belongs in a DB section"),
        ])
    func faults(text: String, line: Int, words: String) {
        let errors = ConfigurationParser.parse(text).diagnostics.filter { $0.severity == .error }
        #expect(errors.contains { $0.line == line && $0.message.contains(words) }, "\(errors)")
    }

    @Test("what EMG has and we do not is a warning with its line") func known() {
        let diagnostics = ConfigurationParser.parse("NODEID=1\nCMREXPIRE=60\nSPOOLDIR=/var/spool/emg\nNODEID=2").diagnostics
        #expect(diagnostics.map(\.severity) == [.warning, .warning, .warning])
        #expect(diagnostics.map(\.line) == [2, 3, 4])
    }

    @Test("no bytes make the parser trap, and it goes on after every fault") func roughHandling() {
        var generator = SplitMix(state: 20_261_121)
        let alphabet = Array("CONNECTOR a <\n>=\"\\# \tKEY[]:é\r")
        for _ in 0..<2_000 {
            let text = String((0..<Int.random(in: 0...80, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? "x" })
            let (file, _, _) = ConfigurationFile.check(text)
            let again = ConfigurationParser.parse(file.rendered(hidingSecrets: false)).file
            #expect(again.rendered(hidingSecrets: false) == file.rendered(hidingSecrets: false), "seed 20261121: \(text.debugDescription)")
        }
    }
}

/// A generator whose run can be repeated.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
