import Charset
import Configuration
import Message
import Testing

@testable import IngressHTTP

@Suite struct SendRequestTests {
    static let now: Int64 = 1_795_251_600_000

    static func read(_ text: String) throws(Fault) -> SendRequest { try SendRequest(Array(text.utf8), now: now) }

    @Test func `a message is read with all that it says`() throws {
        let request = try Self.read(
            """
            {"to":"+46700000001","from":"Shop","text":"Hej","flash":true,"validity_seconds":60,"priority":1,"report":"failure",
             "callback_url":"https://example.com/r?x=1","reference":"order 7"}
            """)
        #expect(!request.isBatch && request.entries.count == 1)
        let message = try request.entries[0].draft.get().message()
        #expect(message.destination.number == "46700000001" && message.destination.ton == 1)
        #expect(message.source.number == "Shop" && message.source.ton == 5)
        #expect(message.body.text == "Hej" && message.body.dataCoding == 0x10 && message.parts == 1)
        #expect(message.expiresAt == Self.now + 60_000 && message.priority == 1 && message.reportRequest == .onFailure)
        #expect(message.reportCallback.url == "https://example.com/r?x=1" && message.reportCallback.style == "json")
        #expect(message.reportCallback.reference == "order 7")
    }

    @Test(
        arguments: [
            "[]", "{}", #"{"to":"46700000001"}"#, #"{"to":"46700000001","text":"a","binary":"00"}"#, #"{"to":"abc","text":"a"}"#,
            #"{"to":"46700000001","text":""}"#, #"{"to":"46700000001","text":"a","form":"x"}"#, #"{"to":"46700000001","text":7}"#,
            #"{"to":"46700000001","text":"a","send_at":"tomorrow"}"#, #"{"to":"46700000001","text":"a","priority":4}"#,
            #"{"to":"46700000001","text":"a","callback_url":"ftp://x/"}"#, #"{"to":"46700000001","binary":"0"}"#,
            #"{"to":"46700000001","text":"a","validity_seconds":1,"expires_at":"2026-11-21T10:00:00Z"}"#,
            #"{"messages":[]}"#, #"{"messages":[7]}"#, #"{"messages":[{"to":"1","text":"a"}],"from":"x"}"#,
        ])
    func `what makes no sense is refused as a whole`(text: String) {
        let fault = #expect(throws: Fault.self) { try Self.read(text) }
        #expect(fault?.kind == .badRequest)
    }

    @Test func `a thousand messages are one request and no more`() throws {
        func body(_ count: Int) -> String {
            "{\"messages\":[" + Array(repeating: "{\"to\":\"46700000001\",\"text\":\"a\"}", count: count).joined(separator: ",") + "]}"
        }
        #expect(try Self.read(body(1_000)).entries.count == 1_000)
        #expect(throws: Fault.self) { try Self.read(body(1_001)) }
    }

    @Test func `a header that is none is the message's own fault`() throws {
        let request = try Self.read(#"{"to":"46700000001","binary":"0102","udh":"FF00"}"#)
        let fault = #expect(throws: Fault.self) { try request.entries[0].draft.get().message() }
        #expect(fault?.kind == .invalid)
    }

    @Test(
        arguments: [(160, 1, "gsm7"), (161, 2, "gsm7"), (306, 2, "gsm7"), (307, 3, "gsm7")] as [(Int, Int, String)])
    func `parts are counted as phones put them together`(length: Int, parts: Int, encoding: String) throws {
        let draft = Draft(destination: "1", content: .text(String(repeating: "a", count: length)))
        #expect(try draft.message().parts == UInt32(parts))
        #expect(draft.encoding?.rawValue == encoding)
    }
}

@Suite struct `EMG's requests` {
    static func read(_ query: String, allowsRoute: Bool = false) throws(Fault) -> EMGRequest {
        try EMGRequest(Parameters(query.utf8), charset: .utf8, allowsRoute: allowsRoute, now: 1_000_000)
    }

    @Test func `each DESTADDR is a message, in their order`() throws {
        let request = try Self.read("SOURCEADDR=Shop&DESTADDR=461&DESTADDR=462&MESSAGE=Hello+there&DLR=1&VP=60")
        #expect(request.drafts.map(\.destination) == ["461", "462"])
        #expect(request.drafts.allSatisfy { $0.content == .text("Hello there") && $0.report == .final && $0.expiresAt == 1_060_000 })
    }

    @Test func `binary messages and headers are in hex`() throws {
        let draft = try Self.read("DESTADDR=461&MESSAGE=00FF&CHARCODE=BINARY&UDH=06050415811581").drafts[0]
        #expect(draft.content == .binary([0, 255]) && draft.udh == [6, 5, 4, 0x15, 0x81, 0x15, 0x81])
    }

    @Test func `a text comes in the charset that CHARCODE names`() throws {
        #expect(try Self.read("DESTADDR=461&MESSAGE=%E5&CHARCODE=LATIN1").drafts[0].content == .text("å"))
        #expect(try Self.read("DESTADDR=461&MESSAGE=%C3%A5").drafts[0].content == .text("å"))
        #expect(try Self.read("DESTADDR=461&MESSAGE=00E5&CHARCODE=UCS2").drafts[0].content == .text("å"))
    }

    @Test func `ROUTE is refused without ALLOWROUTE`() throws {
        let fault = #expect(throws: Fault.self) { try Self.read("DESTADDR=461&MESSAGE=a&ROUTE=out") }
        #expect(fault?.kind == .forbidden)
        #expect(try Self.read("DESTADDR=461&MESSAGE=a&ROUTE=out", allowsRoute: true).drafts[0].options.map(\.name) == ["ROUTE"])
        #expect(try Self.read("DESTADDR=461&MESSAGE=a&ROUTEDLR=in", allowsRoute: true).reportConnector == "in")
    }

    @Test(
        arguments: [
            "MESSAGE=a", "DESTADDR=461&MESSAGE=xx&CHARCODE=BINARY", "DESTADDR=461&UNKNOWN=1", "DESTADDR=461&VP=soon", "DESTADDR=461&DLR=9",
        ])
    func `what makes no sense is refused`(query: String) {
        #expect(throws: Fault.self) { try Self.read(query) }
    }

    @Test(
        arguments: [("3600", 4_600_000), ("202611211000", 1_795_255_200_000), ("20261121100030", 1_795_255_230_000)] as [(String, Int64)])
    func `times are seconds from now or moments in UTC`(text: String, moment: Int64) throws {
        #expect(try EMGTime.read(text, "VP", now: 1_000_000) == moment)
    }
}

@Suite struct `Kannel's and Jasmin's requests` {
    static func kannel(_ query: String) throws(Fault) -> [Draft] {
        try KannelRequest.drafts(Parameters(query.utf8), charset: .utf8, now: 0)
    }

    @Test func `the guide's example is read`() throws {
        // Kannel's user's guide: "Using the HTTP interface to send SMS messages".
        let drafts = try Self.kannel("username=foo&password=bar&to=0123456&text=Hello+world")
        #expect(drafts.map(\.destination) == ["0123456"] && drafts[0].content == .text("Hello world"))
    }

    @Test(
        arguments: [("31", .final), ("1", .onSuccess), ("18", .onFailure), ("4", .final), ("8", .none), ("0", .none)]
            as [(String, ReportRequest)])
    func `dlr-mask says which reports are wanted`(mask: String, report: ReportRequest) throws {
        let draft = try Self.kannel("to=1&text=a&dlr-mask=\(mask)&dlr-url=http%3A%2F%2Fx%2Fr%3Ft%3D%25d")[0]
        #expect(draft.report == report)
        #expect(draft.intermediateReports == ["31", "4"].contains(mask) && draft.submissionReport == ["31", "8"].contains(mask))
        let message = try draft.message()
        #expect(message.intermediateReports == draft.intermediateReports && message.submissionReport == draft.submissionReport)
        if mask != "0" { #expect(draft.callback?.url == "http://x/r?t=%d" && draft.callback?.style == "kannel") }
    }

    @Test func `octets, headers, minutes and several receivers are read`() throws {
        let drafts = try Self.kannel("to=1+2&text=%00%FF&coding=1&udh=%05%00%03%01%02%01&validity=2&deferred=1&mclass=0")
        #expect(drafts.count == 2 && drafts[0].content == .binary([0, 255]) && drafts[0].udh == [5, 0, 3, 1, 2, 1])
        #expect(drafts[0].expiresAt == 120_000 && drafts[0].scheduledAt == 60_000 && drafts[0].messageClass == 0)
    }

    @Test(arguments: [
        "text=a", "to=1&coding=9", "to=1&dlr-mask=x", "to=1&charset=klingon", "to=1&mwi=8", "to=1&mwi=1&coding=1", "to=1&compress=1",
        "to=1&meta-data=%3Fsmpp%3Fa%3Db",
    ])
    func `what Kannel's interface cannot do is refused`(query: String) { #expect(throws: Fault.self) { try Self.kannel(query) } }

    @Test(
        arguments: [
            ("text=a&mwi=0", 0xD8), ("text=a&mwi=6", 0xD2), ("mwi=1", 0xC9), ("text=%D0%AF&mwi=3", 0xDB), ("text=a&flash=0", 0x10),
            ("text=a&mclass=1&alt-dcs=1", 0x11),
        ] as [(String, UInt32)])
    func `signs of waiting messages and classes are a data coding`(query: String, coding: UInt32) throws {
        #expect(try Self.kannel("to=1&\(query)")[0].message().body.dataCoding == coding)
    }

    @Test(
        arguments: [("dlr-level=1", .onFailure, true), ("dlr-level=2", .final, false), ("dlr-level=3", .final, true)]
            as [(String, ReportRequest, Bool)])
    func `Jasmin's levels say which reports are wanted`(query: String, report: ReportRequest, tellsSubmission: Bool) throws {
        // A level alone asks for reports, too.
        let draft = try JasminRequest.draft(Parameters("to=1&content=a&\(query)".utf8), now: 0)
        #expect(draft.report == report && draft.submissionReport == tellsSubmission)
    }

    @Test func `custom TLVs become options of the message`() throws {
        let list = #"[[12288,null,"COctetString","ref"],["0x1401",2,"Int2","0x1F4"],[5121,1,"Int1",7],[12289,null,"OctetString","å"]]"#
        let query = "to=1&content=a&custom_tlvs=" + list.utf8.map { "%" + hexText([$0]) }.joined()
        let options = try JasminRequest.draft(Parameters(query.utf8), now: 0).options
        #expect(options.map(\.name) == ["TLV:0x3000", "TLV:0x1401", "TLV:0x1401", "TLV:0x3001"])
        #expect(options.map(\.value) == ["72656600", "01F4", "07", "C3A5"])
    }

    @Test(
        arguments: [
            #"{}"#, #"[1]"#, #"[[1,null,"Int1",1]]"#, #"[[12288,null,"Int3",1]]"#, #"[[12288,null,"Int1",256]]"#, #"[[12288,3,"Int1",1]]"#,
            #"[[12288,null,"Int1",-1]]"#, #"[[12288,null,"OctetString",1]]"#,
        ])
    func `custom TLVs that make no sense are refused`(list: String) {
        let query = "to=1&content=a&custom_tlvs=" + list.utf8.map { "%" + hexText([$0]) }.joined()
        #expect(throws: Fault.self) { try JasminRequest.draft(Parameters(query.utf8), now: 0) }
    }

    @Test func `Jasmin's parameters are read`() throws {
        let query =
            "username=u&password=p&to=%2B336222172&from=Jasmin&content=Hello&dlr=yes&dlr-level=2&dlr-url=http%3A%2F%2Fx%2F&validity-period=5"
        let draft = try JasminRequest.draft(Parameters(query.utf8), now: 0)
        #expect(draft.destination == "+336222172" && draft.content == .text("Hello") && draft.expiresAt == 300_000)
        #expect(
            draft.report == .final && draft.callback?.mask == 2 && draft.callback?.method == "POST" && draft.callback?.style == "jasmin")
        let hex = try JasminRequest.draft(Parameters("to=1&hex-content=00e5&coding=8".utf8), now: 0)
        #expect(hex.content == .text("å"))
    }

    @Test(arguments: [
        "content=a", "to=1", "to=1&content=a&hex-content=00", "to=1&content=a&dlr=yes&dlr-url=gopher://x", "to=1&content=a&sdt=now",
        "to=1&content=a&colour=red",
    ])
    func `what Jasmin's interface refuses is refused`(query: String) {
        #expect(throws: Fault.self) { try JasminRequest.draft(Parameters(query.utf8), now: 0) }
    }

    @Test func `percent signs and blanks of a form are read as forms write them`() {
        let parameters = Parameters("A=1+2%203&b=%zz&c&A=last&=x".utf8)
        #expect(parameters.texts("a") == ["1 2 3", "last"] && parameters.text("a") == "last")
        #expect(parameters.text("b") == "%zz" && parameters.text("c") == "")
    }
}
