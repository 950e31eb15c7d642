import Charset
import Configuration
import Message

/// The parameters of EMG's `/bin/send` as drafts, one for each DESTADDR. Names are those of MGP's options (EMG-REFERENCE 4.2). Pure.
struct EMGRequest: Sendable {
    /// Options that travel with the message as they are.
    private static let passed = [
        "PROTOCOLID", "REPLYPATH", "BILLINGID", "SERVICETYPE", "SUBJECT", "NOTE", "SOURCEPORT", "DESTPORT", "QPRIORITY", "HPLMNADDR",
        "LRADDR", "LRPID", "OTOA", "XUSERNAME", "REPLACEPID",
    ]
    private static let handled: Set<String> = [
        "username", "password", "sourceaddr", "sourceaddrton", "sourceaddrnpi", "destaddr", "destaddrton", "destaddrnpi", "message", "udh",
        "udhi", "charcode", "dcs", "msgclass", "vp", "deltime", "dlr", "priority", "msgtype", "route", "routedlr", "messagelen",
        "concatsmsref", "concatsmsseq", "concatsmsmax", "origid", "messagestate",
    ]

    var drafts: [Draft]
    /// ROUTEDLR.
    var reportConnector: String?

    /// - Parameters:
    ///   - charset: DEFAULT_CHARCODE_TEXT of the connector.
    ///   - allowsRoute: ALLOWROUTE.
    init(_ parameters: Parameters, charset: HTTPServerOptions.Charset, allowsRoute: Bool, now: Int64) throws(Fault) {
        let destinations = parameters.texts("destaddr").flatMap { $0.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init) }
        guard !destinations.isEmpty else { throw Fault(.badRequest, "DESTADDR is missing") }
        guard destinations.count <= SendRequest.maxMessages else {
            throw Fault(.badRequest, "more than \(SendRequest.maxMessages) DESTADDR in one request")
        }
        let known = EMGRequest.handled.union(EMGRequest.passed.map { $0.lowercased() })
        if let unknown = parameters.names.first(where: { !known.contains($0) }) {
            throw Fault(.badRequest, "the option \(unknown.uppercased()) is unknown, or cannot be given with a message")
        }
        var draft = Draft()
        func number(_ name: String, _ range: ClosedRange<UInt32>) throws(Fault) -> UInt32? {
            guard let text = parameters.text(name), !text.isEmpty else { return nil }
            guard let number = UInt32(text), range.contains(number) else {
                throw Fault(
                    .badRequest, "\(name.uppercased()) is a number from \(range.lowerBound) to \(range.upperBound), not \(text.prefix(20))")
            }
            return number
        }
        draft.source = parameters.text("sourceaddr") ?? ""
        draft.sourceTON = try number("sourceaddrton", 0...7)
        draft.sourceNPI = try number("sourceaddrnpi", 0...15)
        draft.destinationTON = try number("destaddrton", 0...7)
        draft.destinationNPI = try number("destaddrnpi", 0...15)
        draft.dataCoding = try number("dcs", 0...255)
        draft.messageClass = try number("msgclass", 0...3)
        draft.priority = try number("priority", 0...3) ?? 0
        draft.udh = try EMGRequest.header(parameters)
        draft.content = try EMGRequest.content(parameters, charset, draft.dataCoding)
        if let text = parameters.text("vp"), !text.isEmpty { draft.expiresAt = try EMGTime.read(text, "VP", now: now) }
        if let text = parameters.text("deltime"), !text.isEmpty { draft.scheduledAt = try EMGTime.read(text, "DELTIME", now: now) }
        switch parameters.text("dlr") ?? "0" {
        case "", "0": break
        case "1": draft.report = .final
        case "2": draft.report = .onFailure
        case "3": draft.report = .onSuccess
        case let other: throw Fault(.badRequest, "DLR is 0, 1, 2 or 3, not \(other.prefix(20))")
        }
        if draft.report != .none {
            var callback = ReportCallback()
            callback.reference = parameters.text("note") ?? ""
            if !callback.reference.isEmpty { draft.callback = callback }
        }
        for name in EMGRequest.passed {
            if let value = parameters.text(name.lowercased()), !value.isEmpty { draft.options.append((name, value)) }
        }
        for name in ["route", "routedlr"] {
            guard let value = parameters.text(name), !value.isEmpty else { continue }
            guard allowsRoute else { throw Fault(.forbidden, "\(name.uppercased()) is not allowed on this connector (ALLOWROUTE)") }
            if name == "route" { draft.options.append(("ROUTE", value)) } else { reportConnector = value }
        }
        drafts = destinations.map { destination in
            var own = draft
            own.destination = destination
            return own
        }
    }

    private static func header(_ parameters: Parameters) throws(Fault) -> [UInt8] {
        if let text = parameters.text("udh"), !text.isEmpty {
            guard let octets = hexBytes(text), !octets.isEmpty else { throw Fault(.badRequest, "UDH is written in hex digits") }
            return octets
        }
        guard let reference = parameters.text("concatsmsref").flatMap({ UInt8($0) }),
            let part = parameters.text("concatsmsseq").flatMap({ UInt8($0) }),
            let all = parameters.text("concatsmsmax").flatMap({ UInt8($0) })
        else { return [] }
        return [5, 0, 3, reference, all, part]
    }

    private static func content(
        _ parameters: Parameters, _ charset: HTTPServerOptions.Charset, _ dataCoding: UInt32?
    ) throws(Fault) -> Draft.Content {
        let octets = parameters.octets("message") ?? []
        func binary() throws(Fault) -> Draft.Content {
            guard let bytes = hexBytes(String(decoding: octets, as: UTF8.self)) else {
                throw Fault(.badRequest, "a binary MESSAGE is written in hex digits")
            }
            return .binary(bytes)
        }
        // The header may be inside, where UDHI says so: then all of it is hex.
        if parameters.text("udhi") == "1", parameters.text("udh") == nil { return try binary() }
        guard let code = parameters.text("charcode"), !code.isEmpty else {
            if let dataCoding, [2, 4].contains(dataCoding) || (0xF4...0xF7).contains(dataCoding) { return try binary() }
            return .text(charset.decode(octets))
        }
        if code.uppercased() == "BINARY" || code == "2" { return try binary() }
        if ["GSM", "GSM7", "ASCII", "0", "1"].contains(code.uppercased()) { return .text(charset.decode(octets)) }
        guard let named = HTTPServerOptions.Charset(name: code) else {
            throw Fault(.badRequest, "CHARCODE is UTF8, LATIN1, UCS2, GSM or BINARY, not \(code.prefix(20))")
        }
        // UCS-2 comes as hex where it is nothing but hex digits.
        if named == .ucs2, let bytes = hexBytes(String(decoding: octets, as: UTF8.self)), bytes.count.isMultiple(of: 2) {
            return .text(UCS2.decode(bytes))
        }
        return .text(named.decode(octets))
    }
}

/// Moments in EMG's requests: seconds from now, or `YYYYMMDDhhmm` with or without seconds, in UTC. Pure.
enum EMGTime {
    static func read(_ text: String, _ name: String, now: Int64) throws(Fault) -> Int64 {
        let digits = Array(text.utf8)
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { throw wrong(name) }
        if digits.count <= 8, let seconds = Int64(text) { return now + seconds * 1_000 }
        guard digits.count == 12 || digits.count == 14 else { throw wrong(name) }
        func part(_ start: Int, _ count: Int) -> String { String(decoding: digits[start..<(start + count)], as: UTF8.self) }
        let seconds = digits.count == 14 ? part(12, 2) : "00"
        guard
            let time = Timestamp.parse("\(part(0, 4))-\(part(4, 2))-\(part(6, 2))T\(part(8, 2)):\(part(10, 2)):\(seconds)Z")
        else { throw wrong(name) }
        return time
    }

    private static func wrong(_ name: String) -> Fault {
        Fault(.badRequest, "\(name) is a number of seconds from now, or a time as YYYYMMDDhhmmss in UTC")
    }
}
