import Charset
import Database
import Foundation
import SMPP
import Store

/// What `signalbox send` is asked to do.
public struct SendRequest: Sendable {
    public var host: String
    public var port: Int
    public var account: String
    public var password: String
    public var source: String
    public var destination: String
    public var text: String
    /// How many times the message is sent.
    public var count: Int
    /// Where to read the messages' lives, when they are to be waited for.
    public var databaseURL: String?
    /// How long to wait for the last of them.
    public var timeoutSeconds: Int

    public init(
        host: String, port: Int, account: String, password: String, source: String, destination: String, text: String, count: Int = 1,
        databaseURL: String? = nil, timeoutSeconds: Int = 60
    ) {
        self.host = host
        self.port = port
        self.account = account
        self.password = password
        self.source = source
        self.destination = destination
        self.text = text
        self.count = count
        self.databaseURL = databaseURL
        self.timeoutSeconds = timeoutSeconds
    }
}

/// What became of it.
public struct SendResult: Encodable, Sendable {
    /// One entry per message that was accepted; a long text is several.
    public var messages: [MessageLife]
    /// One line per message that was not.
    public var failures: [String]
    /// With a database: every life came to its end in time.
    public var isComplete: Bool

    enum CodingKeys: String, CodingKey {
        case messages, failures
        case isComplete = "complete"
    }
}

/// Sends through a real SMPP session of the gateway's.
public enum MessageSender {
    /// Messages of one call; more is work for `signalbox bench`.
    public static let maximumCount = 100_000

    /// Blocks until all is answered, and with a database until all has ended.
    /// - Throws: `UpError` when there is no session to be had, or the text cannot be sent.
    public static func send(_ request: SendRequest) throws -> SendResult {
        let messages = try parts(request)
        var client = try SubmitClient(host: request.host, port: request.port, account: request.account, password: request.password)
        try client.submit(messages)
        var result = SendResult(messages: [], failures: [], isComplete: true)
        for index in messages.indices {
            switch client.answers[index] {
            case .accepted(let id): result.messages.append(MessageLife(id: id, destination: request.destination))
            case .refused(let status): result.failures.append("message \(index + 1) was refused: \(SubmitClient.explain(status))")
            case .unknown, nil: result.failures.append("message \(index + 1) was not answered; it may have been accepted")
            }
        }
        if let url = request.databaseURL { try follow(&result, request, url, &client) }
        client.unbind()
        return result
    }

    /// Reads the log until every message has ended, and takes the reports that come meanwhile.
    private static func follow(
        _ result: inout SendResult, _ request: SendRequest, _ url: String, _ client: inout SubmitClient
    ) throws {
        let connection = try Connection(url: url, applicationName: "signalbox send")
        let deadline = monotonicMilliseconds() + Int64(request.timeoutSeconds) * 1_000
        var open = Array(result.messages.indices)
        while !open.isEmpty, monotonicMilliseconds() < deadline {
            try client.turn(waitingMilliseconds: 50)
            // Only the oldest of many are asked for in one turn; the others end meanwhile.
            for index in open.prefix(200) {
                guard let id = Int64(result.messages[index].id), let story = try MessageStore.show(connection, msgid: id) else { continue }
                result.messages[index] = MessageLife(story, destination: request.destination)
            }
            open.removeAll { result.messages[$0].isEnded }
        }
        result.isComplete = open.isEmpty
        // Our own reports, so that they need not wait for the next bind. Another session of the account may have them.
        let grace = min(deadline, monotonicMilliseconds() + 2_000)
        while client.reports < result.messages.count, monotonicMilliseconds() < grace { try client.turn(waitingMilliseconds: 50) }
    }

    static func parts(_ request: SendRequest) throws(UpError) -> [SubmitSm] {
        guard (1...maximumCount).contains(request.count) else { throw UpError("--count must be 1 to \(maximumCount)") }
        let digits = request.destination.hasPrefix("+") ? String(request.destination.dropFirst()) : request.destination
        guard !digits.isEmpty, digits.count <= 20, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            throw UpError("--to must be a number of at most 20 digits: \(request.destination)")
        }
        var messages: [SubmitSm] = []
        for number in 0..<request.count {
            let segments: [Segment]
            do throws(SegmentationError) {
                segments = try Segmenter.segments(text: request.text, reference: UInt16(truncatingIfNeeded: number + 1))
            } catch {
                throw UpError("the text is too long: \(error)")
            }
            for segment in segments {
                messages.append(
                    SubmitSm(
                        sourceAddr: try sender(request.source),
                        destinationAddr: SMEAddress(ton: .international, npi: .isdn, value: digits),
                        esmClass: segment.udh.isEmpty ? .default : .userDataHeader, registeredDelivery: .final,
                        dataCoding: DataCoding(rawValue: segment.dataCoding), shortMessage: segment.userData))
            }
        }
        return messages
    }

    /// A number, or a name of at most 11 characters (3GPP TS 23.040 §9.1.2.5).
    static func sender(_ source: String) throws(UpError) -> SMEAddress {
        let digits = source.hasPrefix("+") ? String(source.dropFirst()) : source
        if !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
            guard digits.count <= 20 else { throw UpError("--from must have at most 20 digits: \(source)") }
            return SMEAddress(ton: digits.count < 7 ? .unknown : .international, npi: .isdn, value: digits)
        }
        guard !source.isEmpty, source.count <= 11, Latin1.encode(source) != nil else {
            throw UpError("--from must be a number, or a name of at most 11 characters: \(source)")
        }
        return SMEAddress(ton: .alphanumeric, npi: .unknown, value: source)
    }
}
