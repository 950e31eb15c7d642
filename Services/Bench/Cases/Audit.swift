import LoadModel

/// Three books side by side: the client's, the provider's, the gateway's. Pure, so that the audit itself is tested.
struct Audit: Sendable, Equatable {
    // The client's book.
    var sent = 0
    var accepted = 0
    var refused = 0
    var expectsReports = true
    var reported = 0
    var undelivered = 0
    var duplicateReports = 0
    var unknownReports = 0
    var mixedUp = 0
    var badIDs = 0
    var sessionsLost = 0
    // The provider's.
    var complete = 0
    var providerDuplicates = 0
    var providerRefusals = 0
    var strangers = 0
    // The gateway's; nil where no gateway was between the two.
    var log: GatewayBooks.Log?
    /// What balances, ledger and log disagree on.
    var disagreements: [String] = []
    /// Records left in queues, by queue.
    var waiting: [String: Int] = [:]
    /// Processes that ended and were started again.
    var restarted: [String] = []

    /// Accepted and not finished, by what the client or the provider can tell.
    var losses: Int { max(0, accepted - (expectsReports ? min(reported, complete) : complete)) }
    /// Repetitions that the client or the provider saw.
    var duplicates: Int { providerDuplicates + duplicateReports }

    init() {}

    init(_ book: LoadBook, sessionsLost: Int) {
        sent = book.sent
        accepted = book.accepted
        refused = book.refused
        expectsReports = book.finish == .report
        reported = book.reported
        undelivered = book.undelivered
        duplicateReports = book.duplicateReports
        unknownReports = book.unknownReports
        mixedUp = book.mixedUp
        badIDs = book.badIDs
        self.sessionsLost = sessionsLost
        complete = book.complete
        providerDuplicates = book.providerDuplicates
        providerRefusals = book.providerRefusals
        strangers = book.strangers
    }

    /// What is wrong, in words; empty when every book says the same.
    var faults: [String] {
        var faults: [String] = []
        func check(_ count: Int, _ what: String) {
            if count != 0 { faults.append("\(count) \(what)") }
        }
        if accepted == 0 { faults.append("no message was accepted") }
        check(sent - accepted - refused, "submits have no answer")
        check(refused, "submits were refused")
        check(accepted - complete, "accepted messages are not at the provider, or not whole")
        check(providerDuplicates, "parts came to the provider twice")
        check(providerRefusals, "submits were refused by the provider")
        check(strangers, "submits came to the provider that nobody sent")
        check(expectsReports ? accepted - reported : reported, expectsReports ? "messages have no report" : "reports came unasked for")
        check(undelivered, "reports do not say DELIVRD")
        check(duplicateReports, "reports came twice")
        check(unknownReports, "reports are of no message that was sent")
        check(mixedUp, "reports name the number of another message")
        check(badIDs, "answers have no id of their own")
        check(sessionsLost, "sessions were lost")
        for name in restarted.sorted() { faults.append("\(name) ended and was started again") }
        guard let log else { return faults }
        check(accepted - log.messages, "accepted messages more or less than the message log has")
        check(log.open, "messages in the log have no final state")
        check(log.otherwiseEnded, "messages in the log were neither delivered nor relayed")
        check(log.messages - log.bodies, "messages in the log have no text")
        let final = expectsReports ? log.delivered : log.relayed
        check(log.messages - log.open - log.otherwiseEnded - final, "messages in the log have another final state than the client was told")
        faults += disagreements
        for (queue, count) in waiting.sorted(by: { $0.key < $1.key }) { faults.append("\(count) records are left in \(queue)") }
        return faults
    }
}
