import Bus
import Configuration
import HTTPProvider
import Message
import ServiceKit
import SwiftProtobuf
import Testing

@testable import EgressHTTP

struct `Calls of providers` {
    static func target(_ lines: [(String, String)] = []) throws -> CallbackTarget {
        let base = [("CALLBACK_LISTEN", "127.0.0.1:1"), ("CALLBACK_ID", "param:id"), ("CALLBACK_STATUS", "param:s")]
        let connector = try `What templates are given of a message`.http(base + lines)
        #expect(connector.dlrSupport)
        let callback = try #require(connector.providerHTTP?.callback)
        return try #require(CallbackTarget.all(of: "out", callback).values.first)
    }

    /// Messages from phones.
    static func messages(_ lines: [(String, String)] = []) throws -> CallbackTarget {
        let base = [
            ("CALLBACK_LISTEN", "127.0.0.1:1"), ("MO_SOURCEADDR", "param:from"), ("MO_DESTADDR", "param:to"), ("MO_MESSAGE", "param:text"),
            ("MO_UDH", "param:udh"), ("MO_BINARYIF", "param:coding = 1"), ("MO_ID", "param:id"),
        ]
        let connector = try `What templates are given of a message`.http(base + lines)
        #expect(!connector.dlrSupport)
        let callback = try #require(connector.providerHTTP?.callback)
        return try #require(CallbackTarget.all(of: "out", callback)["/messages/out"])
    }

    static func arrivals(_ parameters: [String: String], _ target: CallbackTarget) throws -> [MessageIntake.Arrival] {
        guard case .accept(let arrivals) = CallbackDecision(call(parameters), target, now: 5) else { return [] }
        return arrivals
    }

    static func call(
        _ parameters: [String: String] = ["id": "7", "s": "DELIVRD"], method: String = "GET", authorization: String? = nil,
        remote: String? = "192.0.2.7"
    ) -> ProviderCall {
        ProviderCall(
            method: method, authorization: authorization, remote: remote, document: ReceivedDocument(body: [], parameters: parameters))
    }

    /// The status of a refusal; nil where it is kept.
    static func refusal(_ call: ProviderCall, _ target: CallbackTarget) -> Int? {
        if case .refuse(let status, _) = CallbackDecision(call, target, now: 5) { status } else { nil }
    }

    @Test func `become receipts under the key of their message`() throws {
        guard case .keep(let records) = CallbackDecision(Self.call(), try Self.target(), now: 5) else {
            Issue.record("refused")
            return
        }
        #expect(records.map(\.topic) == [Topics.receipts] && records[0].key == Array(receiptKey("out", "7").utf8))
        let receipt = try Receipt(serializedBytes: records[0].value)
        #expect(receipt.smscid == "7" && receipt.status == .delivered && receipt.connector == "out" && receipt.receivedAt == 5)
    }

    @Test func `must show the token`() throws {
        let target = try Self.target([("CALLBACK_TOKEN", "s3cret")])
        #expect(Self.refusal(Self.call(), target) == 401)
        #expect(Self.refusal(Self.call(authorization: "Bearer s3creT"), target) == 401)
        #expect(Self.refusal(Self.call(authorization: "Bearer s3cret"), target) == nil)
        #expect(Self.refusal(Self.call(["id": "7", "s": "sent", "token": "s3cret"]), target) == nil)
        #expect(Self.refusal(Self.call(["id": "7", "s": "sent", "token": "s3cret0"]), target) == 401)
    }

    @Test func `come from where they may`() throws {
        let target = try Self.target([("CALLBACK_ACCESS", "192.0.2.0/24, 2001:db8::/32")])
        #expect(Self.refusal(Self.call(), target) == nil && Self.refusal(Self.call(remote: "2001:db8::1"), target) == nil)
        #expect(Self.refusal(Self.call(remote: "198.51.100.1"), target) == 403 && Self.refusal(Self.call(remote: nil), target) == 403)
    }

    @Test func `are refused for what is wrong with them`() throws {
        let target = try Self.target()
        #expect(Self.refusal(Self.call(method: "DELETE"), target) == 405)
        #expect(Self.refusal(Self.call([:]), target) == 400)
        #expect(Self.refusal(Self.call(["id": "7", "s": "hm"]), target) == 400)
    }

    @Test func `become messages from this connector, of no account`() throws {
        let target = try Self.messages()
        let all = try Self.arrivals(["from": "+46701234567", "to": "72345", "text": " vote now ", "id": "M1"], target)
        let message = try #require(all.first?.message)
        #expect(all.count == 1 && all[0].id == "M1" && message.msgid == 0 && message.inConnector == "out" && message.account.isEmpty)
        #expect(message.source.number == "46701234567" && message.source.ton == 1 && message.destination.number == "72345")
        #expect(message.body.text == " vote now " && message.body.encoding == .utf8 && message.parts == 1 && message.hops == 1)
        #expect(message.times.accepted == 5)
    }

    @Test func `may be binary, and parts`() throws {
        let target = try Self.messages()
        let fields = ["from": "1", "to": "2", "text": "00FF", "coding": "1", "udh": "050003070201", "id": "M2"]
        let all = try Self.arrivals(fields, target)
        let message = try #require(all.first?.message)
        #expect(message.body.encoding == .binary && Array(message.body.data) == [0, 255] && message.parts == 1)
        #expect(Array(message.body.udh) == [5, 0, 3, 7, 2, 1])
        #expect(Self.refusal(Self.call(fields.merging(["udh": "0600030702"]) { $1 }), target) == 400)
    }

    @Test func `bring a message once, however often it stands in them`() throws {
        let target = try Self.messages([("MO_LIST", "json:$")])
        let one = #"{"from": "1", "to": "2", "text": "x", "id": "A"}"#
        let rules = try `What templates are given of a message`.http([
            ("CALLBACK_LISTEN", "127.0.0.1:1"), ("MO_LIST", "json:$"), ("MO_SOURCEADDR", "json:from"), ("MO_DESTADDR", "json:to"),
            ("MO_MESSAGE", "json:text"), ("MO_ID", "json:id"),
        ])
        #expect(Self.refusal(Self.call(), target) == 400)
        let callback = try #require(rules.providerHTTP?.callback)
        let list = try #require(CallbackTarget.all(of: "out", callback).values.first)
        var call = Self.call()
        call.document = ReceivedDocument(body: Array("[\(one), \(one), \(one.replacing("A", with: "B"))]".utf8))
        guard case .accept(let arrivals) = CallbackDecision(call, list, now: 5) else {
            Issue.record("refused")
            return
        }
        #expect(arrivals.map(\.id) == ["A", "B"])
    }
}
