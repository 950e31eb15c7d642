import Bus
import Configuration
import HTTPProvider
import Message
import ServiceKit
import Store

/// A place for a provider's calls of one kind.
struct CallbackTarget: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case reports(CallbackRules)
        case messages(MessageCallRules)
    }

    var connector: String
    var kind: Kind
    var token: Secret?
    var access: [String]
    /// The body of our answer.
    var answer: String

    /// The places of one connector, by path.
    static func all(of connector: String, _ options: CallbackOptions) -> [String: CallbackTarget] {
        var targets: [String: CallbackTarget] = [:]
        func add(_ path: String, _ kind: Kind, _ answer: String) {
            targets[path] = CallbackTarget(
                connector: connector, kind: kind, token: options.token, access: options.access, answer: answer)
        }
        if let place = options.reports { add(place.path, .reports(place.rules), place.answer) }
        if let place = options.messages { add(place.path, .messages(place.rules), place.answer) }
        return targets
    }
}

/// A provider's call as far as it matters.
struct ProviderCall: Sendable {
    var method: String
    /// `Bearer …`, or nil.
    var authorization: String?
    var remote: String?
    var document: ReceivedDocument
}

/// What a provider's call comes to. Pure but for the clock's value, which is passed in.
enum CallbackDecision {
    /// Receipts, for the bus.
    case keep([OutgoingRecord])
    /// Messages from phones, without ids of ours yet.
    case accept([MessageIntake.Arrival])
    case refuse(status: Int, text: String)

    init(_ call: ProviderCall, _ target: CallbackTarget, now: Int64) {
        guard ["GET", "POST", "PUT"].contains(call.method) else {
            self = .refuse(status: 405, text: "GET, POST or PUT only")
            return
        }
        guard CallbackDecision.mayCall(call, target) else {
            self = .refuse(status: 403, text: "not from your address")
            return
        }
        guard CallbackDecision.isAuthentic(call, target) else {
            self = .refuse(status: 401, text: "the token is missing or wrong")
            return
        }
        do throws(ProviderFault) {
            switch target.kind {
            case .reports(let rules): self = .keep(try rules.read(call.document).map { CallbackDecision.record($0, target.connector, now) })
            case .messages(let rules): self = CallbackDecision.arrivals(try rules.read(call.document), target.connector, now)
            }
        } catch {
            self = .refuse(status: 400, text: "\(error)")
        }
    }

    private static func mayCall(_ call: ProviderCall, _ target: CallbackTarget) -> Bool {
        guard !target.access.isEmpty else { return true }
        guard let remote = call.remote, let address = IPAddress(remote) else { return false }
        return target.access.contains { IPNetwork($0)?.contains(address) ?? false }
    }

    private static func isAuthentic(_ call: ProviderCall, _ target: CallbackTarget) -> Bool {
        guard let token = target.token?.revealed else { return true }
        let bearer = call.authorization.flatMap { $0.lowercased().hasPrefix("bearer ") ? String($0.dropFirst(7)) : nil }
        guard let given = bearer ?? call.document.parameters["token"] else { return false }
        // In a time that does not tell how much of it was right.
        let (own, theirs) = (Array(token.utf8), Array(given.utf8))
        guard own.count == theirs.count else { return false }
        return zip(own, theirs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func arrivals(_ messages: [PhoneMessage], _ connector: String, _ now: Int64) -> CallbackDecision {
        var arrivals: [MessageIntake.Arrival] = []
        var known: Set<String> = []
        for one in messages where one.id.isEmpty || known.insert(one.id).inserted {
            do throws(PhoneMessage.Unreadable) {
                arrivals.append(MessageIntake.Arrival(id: one.id, message: try one.message(connector: connector, now: now)))
            } catch {
                return .refuse(status: 400, text: error.description)
            }
        }
        return .accept(arrivals)
    }

    private static func record(_ report: ProviderReport, _ connector: String, _ now: Int64) -> OutgoingRecord {
        var receipt = Receipt()
        receipt.connector = connector
        receipt.smscid = report.id
        receipt.status = status(report.state)
        receipt.error = report.error
        receipt.reasonText = report.text
        receipt.doneAt = now
        receipt.receivedAt = now
        return OutgoingRecord(topic: Topics.receipts, key: receiptKey(connector, receipt.smscid), value: encode(receipt))
    }

    private static func status(_ state: ReportState) -> Status {
        switch state {
        case .delivered: .delivered
        case .failed: .failed
        case .expired: .expired
        case .deleted: .deleted
        case .undeliverable: .undeliverable
        case .rejected: .rejected
        case .unknown: .unknown
        case .buffered, .ignored: .buffered
        }
    }
}
