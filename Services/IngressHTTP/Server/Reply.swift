import HTTPTypes
import HummingbirdCore
import NIOCore

/// An answer, before it is written.
struct Reply: Sendable, Equatable {
    var status: Int
    var contentType: String
    var body: [UInt8]
    var headers: [String: String] = [:]

    init(_ status: Int, _ contentType: String, _ body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ status: Int, _ body: [UInt8]) -> Reply { Reply(status, "application/json", body) }

    static func text(_ status: Int, _ text: String) -> Reply { Reply(status, "text/plain; charset=utf-8", Array(text.utf8)) }

    /// RFC 9457.
    static func problem(_ fault: Fault) -> Reply {
        var reply = Reply(fault.kind.status, "application/problem+json", JSONWriter.object { $0.problem(fault) })
        reply.addHeaders(of: fault)
        if fault.kind == .unauthorized { reply.headers["WWW-Authenticate"] = "Basic realm=\"signalbox\", Bearer" }
        return reply
    }

    mutating func addHeaders(of fault: Fault) {
        if let seconds = fault.retryAfterSeconds { headers["Retry-After"] = String(seconds) }
        if let allow = fault.allow { headers["Allow"] = allow }
    }

    /// - Parameter isHead: the request was HEAD: everything but the body.
    func response(isHead: Bool) -> Response {
        var fields = HTTPFields()
        fields[.contentType] = contentType
        fields[.contentLength] = String(body.count)
        for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
        return Response(
            status: .init(code: status), headers: fields,
            body: isHead || body.isEmpty ? .init() : .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

extension JSONWriter {
    /// The members of a problem.
    mutating func problem(_ fault: Fault) {
        member("type", "urn:signalbox:problem:\(fault.kind.rawValue)")
        member("title", fault.kind.title)
        member("status", fault.kind.status)
        member("detail", fault.detail)
    }
}
