import Testing

@testable import Bench

@Suite struct `The bench's audit` {
    private static func good(reports: Bool = true) -> Audit {
        var audit = Audit()
        audit.sent = 10
        audit.accepted = 10
        audit.complete = 10
        audit.expectsReports = reports
        audit.reported = reports ? 10 : 0
        audit.log = GatewayBooks.Log(messages: 10, delivered: reports ? 10 : 0, relayed: reports ? 0 : 10, otherwiseEnded: 0, bodies: 10)
        return audit
    }

    @Test(arguments: [true, false])
    func `finds nothing where all books agree`(reports: Bool) {
        #expect(Self.good(reports: reports).faults == [])
        #expect(Self.good(reports: reports).losses == 0 && Self.good(reports: reports).duplicates == 0)
    }

    struct Break: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var apply: @Sendable (inout Audit) -> Void

        init(_ description: String, _ apply: @escaping @Sendable (inout Audit) -> Void) {
            testDescription = description
            self.apply = apply
        }
    }

    @Test(
        arguments: [
            Break("nothing accepted") { $0 = Audit() },
            Break("an answer is missing") { $0.sent = 11 },
            Break("a refusal") {
                $0.sent = 11; $0.refused = 1
            },
            Break("a message lost before the provider") { $0.complete = 9 },
            Break("a report lost") { $0.reported = 9 },
            Break("a doubled submit") { $0.providerDuplicates = 1 },
            Break("a doubled report") { $0.duplicateReports = 1 },
            Break("a refusal of the provider") { $0.providerRefusals = 1 },
            Break("a submit of nobody's") { $0.strangers = 1 },
            Break("a report of nobody's") { $0.unknownReports = 1 },
            Break("a failed message") { $0.undelivered = 1 },
            Break("two messages mixed up") { $0.mixedUp = 1 },
            Break("an id given twice") { $0.badIDs = 1 },
            Break("a lost session") { $0.sessionsLost = 1 },
            Break("a restart") { $0.restarted = ["router"] },
            Break("a row of the log missing") { $0.log?.messages = 9 },
            Break("a row of the log too many") { $0.log?.messages = 11 },
            Break("a message without its end") { $0.log?.delivered = 9 },
            Break("a message that ended otherwise") {
                $0.log?.delivered = 9; $0.log?.otherwiseEnded = 1
            },
            Break("another end than the client heard of") {
                $0.log?.delivered = 9; $0.log?.relayed = 1
            },
            Break("a text missing") { $0.log?.bodies = 9 },
            Break("the ledger disagrees") { $0.disagreements = ["bench: the balance is 1, and its ledger adds up to 2"] },
            Break("a queue with something in it") { $0.waiting = ["sms.routed (billing)": 1] },
        ])
    func `finds each thing that can be wrong`(broken: Break) {
        var audit = Self.good()
        broken.apply(&audit)
        #expect(!audit.faults.isEmpty)
    }

    @Test func `reports that nobody asked for are a fault`() {
        var audit = Self.good(reports: false)
        audit.reported = 1
        #expect(audit.faults == ["1 reports came unasked for"])
    }
}
