import Message

/// The body of POST /v1/messages: one message, or up to 1,000.
struct SendRequest: Sendable {
    static let maxMessages = 1_000

    struct Entry: Sendable {
        /// As the client wrote them, for the answer; empty where they could not be read.
        var to: String
        var reference: String?
        var draft: Result<Draft, Fault>
    }

    var entries: [Entry]
    /// It was a list, and the answer is one.
    var isBatch: Bool

    /// - Throws: `Fault` where nothing can be sent at all; a single message that is wrong is such a case.
    init(_ body: [UInt8], now: Int64) throws(Fault) {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONParser.parse(body) } catch { throw Fault(.badRequest, "\(error)") }
        guard case .object(let members) = value else { throw Fault(.badRequest, "the body is \(value.kind), and an object is wanted") }
        guard let list = members["messages"] else {
            isBatch = false
            entries = [Entry(members, now: now, place: "")]
            if case .failure(let fault) = entries[0].draft { throw fault }
            return
        }
        if let other = members.keys.first(where: { $0 != "messages" }) {
            throw Fault(.badRequest, "\(other) does not stand beside messages: it belongs into each message")
        }
        guard case .array(let items) = list, !items.isEmpty, items.count <= SendRequest.maxMessages else {
            throw Fault(.badRequest, "messages is a list of 1 to \(SendRequest.maxMessages) messages")
        }
        isBatch = true
        var entries: [Entry] = []
        for (index, item) in items.enumerated() {
            guard case .object(let members) = item else {
                throw Fault(.badRequest, "messages[\(index)] is \(item.kind), and an object is wanted")
            }
            let entry = Entry(members, now: now, place: "messages[\(index)].")
            // What has no sense as JSON is the whole request's fault; what no phone could be sent is the message's.
            if case .failure(let fault) = entry.draft, fault.kind == .badRequest { throw fault }
            entries.append(entry)
        }
        self.entries = entries
    }
}

extension SendRequest.Entry {
    init(_ members: [String: JSONValue], now: Int64, place: String) {
        var reader = MemberReader(members: members, place: place)
        let draft: Result<Draft, Fault>
        do throws(Fault) { draft = .success(try reader.draft(now: now)) } catch { draft = .failure(error) }
        if case .string(let to)? = members["to"] { self.to = to } else { to = "" }
        if case .string(let text)? = members["reference"] { reference = text } else { reference = nil }
        self.draft = draft
    }
}

/// Reads the members of a message one by one; one that nobody asked for is a mistake.
struct MemberReader {
    private var members: [String: JSONValue]
    private let place: String

    init(members: [String: JSONValue], place: String) {
        self.members = members
        self.place = place
    }

    private func wrong(_ name: String, _ what: String) -> Fault { Fault(.badRequest, "\(place)\(name) is \(what)") }

    private mutating func string(_ name: String, _ length: ClosedRange<Int>, _ what: String) throws(Fault) -> String? {
        guard let value = members.removeValue(forKey: name) else { return nil }
        guard case .string(let text) = value, length.contains(text.unicodeScalars.count) else { throw wrong(name, what) }
        return text
    }

    private mutating func integer(_ name: String, _ range: ClosedRange<Int64>) throws(Fault) -> Int64? {
        guard let value = members.removeValue(forKey: name) else { return nil }
        guard case .integer(let number) = value, range.contains(number) else {
            throw wrong(name, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private mutating func time(_ name: String) throws(Fault) -> Int64? {
        let what = "a time such as 2026-11-21T10:00:00Z (RFC 3339)"
        guard let text = try string(name, 20...40, what) else { return nil }
        guard let time = Timestamp.parse(text) else { throw wrong(name, what) }
        // Not before 1970, so that it is a time at all.
        return max(1, time)
    }

    private mutating func hex(_ name: String, _ maxOctets: Int) throws(Fault) -> [UInt8]? {
        let what = "up to \(maxOctets) octets in hex digits"
        guard let text = try string(name, 2...(maxOctets * 2), what) else { return nil }
        guard let octets = hexBytes(text) else { throw wrong(name, what) }
        return octets
    }

    mutating func draft(now: Int64) throws(Fault) -> Draft {
        var draft = Draft()
        let number = "a number of 1 to 20 digits, with or without a +"
        guard let to = try string("to", 1...21, number) else { throw Fault(.badRequest, "\(place)to is missing") }
        guard Draft.isNumber(to) else { throw wrong("to", number) }
        draft.destination = to
        if let from = try string("from", 1...20, "a text of 1 to 20 characters") {
            guard from.unicodeScalars.allSatisfy({ (0x20...0x7E).contains($0.value) }) else {
                throw wrong("from", "a text of 1 to 20 printable ASCII characters")
            }
            draft.source = from
        }
        let text = try string("text", 1...8_000, "a text of 1 to 8000 characters")
        let binary = try hex("binary", 2_000)
        switch (text, binary) {
        case (let text?, nil): draft.content = .text(text)
        case (nil, let octets?): draft.content = .binary(octets)
        default: throw Fault(.badRequest, "\(place)text or binary is wanted, and only one of them")
        }
        draft.udh = try hex("udh", 140) ?? []
        if let flash = members.removeValue(forKey: "flash") {
            guard case .bool(let isFlash) = flash else { throw wrong("flash", "true or false") }
            if isFlash { draft.messageClass = 0 }
        }
        draft.scheduledAt = try time("send_at") ?? 0
        draft.expiresAt = try time("expires_at") ?? 0
        if let seconds = try integer("validity_seconds", 1...31_536_000) {
            guard draft.expiresAt == 0 else { throw Fault(.badRequest, "\(place)validity_seconds and expires_at exclude each other") }
            draft.expiresAt = max(now, draft.scheduledAt) + seconds * 1_000
        }
        draft.priority = UInt32(try integer("priority", 0...3) ?? 0)
        let url = try callbackURL()
        let reference = try string("reference", 1...200, "a text of 1 to 200 characters")
        if let word = try string("report", 1...20, "none, final, failure or success") {
            switch word {
            case "none": draft.report = .none
            case "final": draft.report = .final
            case "failure": draft.report = .onFailure
            case "success": draft.report = .onSuccess
            default: throw wrong("report", "none, final, failure or success")
            }
        } else if url != nil {
            draft.report = .final
        }
        if url != nil || reference != nil {
            var callback = ReportCallback()
            callback.url = url ?? ""
            callback.style = url == nil ? "" : "json"
            callback.reference = reference ?? ""
            draft.callback = callback
        }
        if let reference { draft.options.append(("REFERENCE", reference)) }
        if let unknown = members.keys.sorted().first { throw Fault(.badRequest, "\(place)\(unknown) is unknown") }
        return draft
    }

    private mutating func callbackURL() throws(Fault) -> String? {
        let what = "an http or https address of up to 2000 characters"
        guard let text = try string("callback_url", 1...2_000, what) else { return nil }
        guard IngressHTTP.callbackURL(text) != nil else { throw wrong("callback_url", what) }
        return text
    }
}
