import Bus
import Configuration
import HTTPProvider
import Message
import ServiceKit
import Store

/// A connector's place for its provider's calls.
struct CallbackTarget: Sendable, Equatable {
    var connector: String
    var callback: ProviderHTTPOptions.Callback
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
    case keep([OutgoingRecord])
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
            self = .keep(try target.callback.rules.read(call.document).map { CallbackDecision.record($0, target.connector, now) })
        } catch {
            self = .refuse(status: 400, text: "\(error)")
        }
    }

    private static func mayCall(_ call: ProviderCall, _ target: CallbackTarget) -> Bool {
        guard !target.callback.access.isEmpty else { return true }
        guard let remote = call.remote, let address = IPAddress(remote) else { return false }
        return target.callback.access.contains { IPNetwork($0)?.contains(address) ?? false }
    }

    private static func isAuthentic(_ call: ProviderCall, _ target: CallbackTarget) -> Bool {
        guard let token = target.callback.token?.revealed else { return true }
        let bearer = call.authorization.flatMap { $0.lowercased().hasPrefix("bearer ") ? String($0.dropFirst(7)) : nil }
        guard let given = bearer ?? call.document.parameters["token"] else { return false }
        // In a time that does not tell how much of it was right.
        let (own, theirs) = (Array(token.utf8), Array(given.utf8))
        guard own.count == theirs.count else { return false }
        return zip(own, theirs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
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
