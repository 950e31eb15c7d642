import Crypto
import Foundation
import HTTPClient
import Message
import Store

/// One report, or message from a phone, as the request that takes it to its client. Pure.
struct WebhookCall: Sendable {
    var request: HTTPClientRequest
    var style: Webhook.Style
    /// As the client wrote it.
    var url: String

    /// Why there is nothing to call.
    enum Refusal: Error, Equatable {
        /// Neither the message nor the account names an address.
        case noAddress
        case badAddress(String)
        /// The client asked for other reports than this one (Kannel's dlr-mask, Jasmin's dlr-level).
        case notWanted
    }

    /// - Parameters:
    ///   - webhook: the account's; nil where it has none.
    ///   - now: milliseconds since 1970, for the signature.
    init(_ message: ShortMessage, webhook: Webhook?, now: Int64) throws(Refusal) {
        let callback = message.reportCallback
        let isReport = message.type == .deliveryReport
        if isReport, !WebhookCall.isWanted(message) { throw .notWanted }
        let own = isReport ? callback.url : ""
        guard let url = own.isEmpty ? (isReport ? webhook?.reportURL : webhook?.messageURL) : own else { throw .noAddress }
        style = (own.isEmpty ? nil : Webhook.Style(rawValue: callback.style)) ?? webhook?.style ?? .json
        self.url = url
        switch style {
        case .json:
            guard let address = callbackURL(url) else { throw .badAddress(url) }
            let body = isReport ? WebhookCall.report(message) : WebhookCall.received(message)
            request = HTTPClientRequest(
                method: "POST", url: address,
                headers: [
                    ("Content-Type", "application/json"), ("Signalbox-Delivery", String(message.msgid)),
                    ("Signalbox-Attempt", String(message.attempts + 1)),
                ], body: body)
            if let secret = webhook?.secret {
                request.headers.append(("Signalbox-Signature", WebhookCall.signature(body, secret: secret, at: now / 1_000)))
            }
        case .emg: request = try WebhookCall.form(message, EMGCallback.parameters(message), url, message.reportCallback.method)
        case .jasmin: request = try WebhookCall.form(message, JasminCallback.parameters(message), url, message.reportCallback.method)
        case .kannel:
            guard let address = callbackURL(KannelCallback.fill(url, message)) else { throw .badAddress(url) }
            request = HTTPClientRequest(method: "GET", url: address)
        }
    }

    /// Whether the client asked for this report, in words that the gateway's own are too coarse for.
    private static func isWanted(_ message: ShortMessage) -> Bool {
        let callback = message.reportCallback
        switch callback.style {
        case Webhook.Style.kannel.rawValue: return KannelCallback.isWanted(message.report, mask: callback.mask)
        case Webhook.Style.jasmin.rawValue: return JasminCallback.isWanted(message.report, level: callback.mask)
        default: return true
        }
    }

    /// Whether an endpoint's answer means that it has taken the delivery.
    func isTaken(_ response: HTTPClientResponse) -> Bool {
        guard (200..<300).contains(response.status) else { return false }
        // Jasmin's clients say so in words too.
        return style != .jasmin || String(decoding: response.body, as: UTF8.self).contains("ACK/Jasmin")
    }

    /// `t=SECONDS,v1=HEX`: HMAC-SHA256 over the time, a point and the body, so that an old request cannot be sent again by others.
    static func signature(_ body: [UInt8], secret: String, at seconds: Int64) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array("\(seconds).".utf8) + body, using: SymmetricKey(data: Array(secret.utf8)))
        return "t=\(seconds),v1=\(hexText(code))"
    }

    /// Parameters in the query of a GET, or in the form of a POST.
    private static func form(
        _ message: ShortMessage, _ parameters: [(String, String)], _ url: String, _ method: String
    ) throws(Refusal) -> HTTPClientRequest {
        let text = parameters.map { "\(escaped($0.0))=\(escaped($0.1))" }.joined(separator: "&")
        if method.uppercased() == "GET" {
            let base = url.prefix { $0 != "#" }
            guard let address = callbackURL("\(base)\(base.contains("?") ? "&" : "?")\(text)") else { throw .badAddress(url) }
            return HTTPClientRequest(method: "GET", url: address)
        }
        guard let address = callbackURL(url) else { throw .badAddress(url) }
        return HTTPClientRequest(
            method: "POST", url: address, headers: [("Content-Type", "application/x-www-form-urlencoded")], body: Array(text.utf8))
    }

    // MARK: JSON

    static func report(_ message: ShortMessage) -> [UInt8] {
        JSONWriter.object { writer in
            let report = message.report
            writer.member("type", "message.report")
            writer.member("id", String(message.msgid))
            writer.member("message_id", String(message.origMsgid))
            writer.member("status", APIStatus.word(Int64(report.status.rawValue)))
            writer.member("final", report.status.rawValue >= Status.relayed.rawValue)
            writer.member("to", message.source.number)
            writer.member("from", message.destination.number)
            let reference = message.reportCallback.reference
            writer.member("reference", optional: reference.isEmpty ? nil : reference)
            if !report.error.isEmpty { writer.member("error", report.error) }
            if !report.reasonText.isEmpty { writer.member("error_text", report.reasonText) }
            if report.submittedAt != 0 { writer.member("sent_at", Timestamp.text(report.submittedAt)) }
            if report.doneAt != 0 { writer.member("done_at", Timestamp.text(report.doneAt)) }
        }
    }

    static func received(_ message: ShortMessage) -> [UInt8] {
        JSONWriter.object { writer in
            writer.member("type", "message.received")
            writer.member("id", String(message.msgid))
            writer.member("from", message.source.number)
            writer.member("to", message.destination.number)
            if message.body.encoding == .binary {
                writer.member("binary", hexText(message.body.data))
            } else {
                writer.member("text", message.body.text)
            }
            if !message.body.udh.isEmpty { writer.member("udh", hexText(message.body.udh)) }
            if message.times.accepted != 0 { writer.member("received_at", Timestamp.text(message.times.accepted)) }
        }
    }
}

/// Everything but letters, digits and `-._~` as percent signs and hex digits (RFC 3986, 2.3).
func escaped(_ text: String) -> String {
    var result: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            result.append(byte)
        default: result += "%\(hexText([byte]).uppercased())".utf8
        }
    }
    return String(decoding: result, as: UTF8.self)
}
