import HTTPTypes
import Store

/// One request, read whole.
struct Exchange: Sendable {
    var method: String
    var path: String
    /// What stands behind the question mark, as it came.
    var query: String
    var headers: HTTPFields
    var body: [UInt8]
    var remote: IPAddress
    var connector: HTTPConnector

    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    /// The body's type without its parameters, in small letters; empty where none is given.
    var contentType: String {
        (headers[.contentType] ?? "").prefix { $0 != ";" }.lowercased().filter { $0 != " " }
    }

    /// A parameter of the body's type, such as `charset`, without quotation marks.
    func contentTypeParameter(_ name: String) -> String? {
        for part in (headers[.contentType] ?? "").split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].filter({ $0 != " " }).lowercased() == name else { continue }
            return pair[1].filter { $0 != " " && $0 != "\"" }
        }
        return nil
    }

    /// Those of the query and, for a form, those of the body.
    func parameters() throws(Fault) -> Parameters {
        var parameters = Parameters(query.utf8)
        guard method == "POST", !body.isEmpty else { return parameters }
        guard contentType == "application/x-www-form-urlencoded" || contentType.isEmpty else {
            throw Fault(.unsupportedType, "a form is application/x-www-form-urlencoded, and not \(contentType)")
        }
        parameters.append(body)
        return parameters
    }

    /// Who asks, by the Authorization header (RFC 7617, RFC 6750) or X-API-Key; nil where neither is there.
    func credentials() throws(Fault) -> Credentials? {
        if let key = header("X-API-Key") { return .key(key) }
        guard let authorization = headers[.authorization] else { return nil }
        let words = authorization.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { throw Fault(.unauthorized, "the Authorization header cannot be read") }
        let value = words[1].filter { $0 != " " }
        switch words[0].lowercased() {
        case "bearer": return .key(value)
        case "basic":
            guard let octets = base64Decode(value), let colon = octets.firstIndex(of: UInt8(ascii: ":")) else {
                throw Fault(.unauthorized, "the Authorization header cannot be read")
            }
            return .password(
                username: String(decoding: octets[..<colon], as: UTF8.self),
                password: String(decoding: octets[(colon + 1)...], as: UTF8.self))
        default: throw Fault(.unauthorized, "log in with Basic or Bearer")
        }
    }
}

/// How somebody proves who they are.
enum Credentials: Sendable, Hashable {
    case password(username: String, password: String)
    case key(String)
}
