package import Bus
package import Database
import Message
import ServiceKit
package import Store

/// Folds a batch by message and writes each message once.
package final class RouteLogTransform: StageTransform {
    private let connect: () throws -> Connection
    private let keys: BodyKeys?
    private let onPolicy: (LogPolicy) -> Void
    private var writer: LogWriter?

    /// - Parameters:
    ///   - keys: for the texts of accounts that want them encrypted; without keys these are left out.
    ///   - onPolicy: hears what is to be logged, each time when it was read.
    package init(
        connect: @escaping () throws -> Connection, keys: BodyKeys? = nil, onPolicy: @escaping (LogPolicy) -> Void = { _ in }
    ) {
        self.connect = connect
        self.keys = keys
        self.onPolicy = onPolicy
    }

    package func process(_ batch: [Record]) throws -> StageOutput {
        var rows: [Int64: LogRow] = [:]
        rows.reserveCapacity(batch.count)
        for record in batch {
            switch record.topic {
            case Topics.accepted:
                let message = try decode(ShortMessage.self, record)
                rows[message.msgid, default: LogRow(msgid: message.msgid)].add(message)
            case Topics.submitted:
                let submission = try decode(Submission.self, record)
                rows[submission.message.msgid, default: LogRow(msgid: submission.message.msgid)].add(submission)
            default:
                let event = try decode(Event.self, record)
                rows[event.msgid, default: LogRow(msgid: event.msgid)].add(event)
            }
        }
        do {
            // One order everywhere, so that two instances that touch the same messages do not lock each other out.
            try usable().write(rows.values.sorted { $0.msgid < $1.msgid })
        } catch {
            writer = nil
            throw error
        }
        return StageOutput()
    }

    package func idle() throws -> StageOutput {
        do {
            try usable().idle()
        } catch {
            writer = nil
            throw error
        }
        return StageOutput()
    }

    private func usable() throws -> LogWriter {
        if let writer { return writer }
        let fresh = try LogWriter(try connect(), keys: keys, onPolicy: onPolicy)
        writer = fresh
        return fresh
    }
}
