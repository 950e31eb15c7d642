import LoadModel
import SMPP

/// What one load is made of.
struct LoadPlan: Sendable {
    var port: Int
    var systemID: String
    var password: String
    var sessions: Int
    /// Unanswered submits of each session; over HTTP the request has as many as its list may hold.
    var window: Int
    /// The first message goes to this number, the next to the next.
    var firstDestination: UInt64
    var asksForReports: Bool
    /// Characters of the text. Beyond 160 it goes as message_payload, and the gateway splits it.
    var textCharacters: Int
    /// In how many parts it leaves.
    var parts: Int
    /// Where the provider notes what arrives, and from which octet on it is about this load.
    var arrivals: (path: String, offset: Int64)?
    var manner = LoadManner.smpp

    /// The text of message `number`: its number, and words up to the length.
    static func text(_ number: Int, characters: Int) -> [UInt8] {
        let filler = Array(" of a load that asks how many messages a gateway passes on in a second".utf8)
        var text = Array("Message \(number)".utf8)
        while text.count < characters { text.append(contentsOf: filler.prefix(characters - text.count)) }
        return Array(text.prefix(characters))
    }

    func submit(_ number: Int) -> SubmitSm {
        let text = LoadPlan.text(number, characters: textCharacters)
        let isLong = text.count > 160
        var submit = SubmitSm(
            sourceAddr: SMEAddress(ton: .international, npi: .isdn, value: "46700000000"),
            destinationAddr: SMEAddress(ton: .international, npi: .isdn, value: String(firstDestination + UInt64(number))),
            registeredDelivery: asksForReports ? .final : .none, shortMessage: isLong ? [] : text)
        if isLong { submit.tlvs[.messagePayload] = text }
        return submit
    }
}

/// How much of it is sent now.
struct LoadOrder: Sendable {
    /// Stops sending after so long, or after so many messages, whichever is first.
    var nanoseconds: Int64 = .max
    var messages: Int = .max
    /// Messages a second; nil: as fast as the windows allow.
    var perSecond: Double?
    /// Messages that may be sent and not finished: without it the load would measure how fast the gateway fills its own queues.
    var inFlight: Int = .max
    /// Whether to wait for the answers only, or until every message is finished.
    var waitsForAnswersOnly = false
    /// Without any progress for so long the load gives up on what is open.
    var patienceNanoseconds: Int64 = 60_000_000_000
}

/// Why a load could not be made.
struct LoadFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
