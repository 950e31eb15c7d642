/// An http or https address, as far as a request needs it (RFC 3986). Without user and password, and in ASCII only: what else looks like
/// an address is refused, so that no two readers see different hosts in it.
package struct HTTPURL: Sendable, Hashable {
    package var isTLS: Bool
    /// A name or an address, without brackets.
    package var host: String
    package var port: Int
    /// Path and query.
    package var target: String

    package init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        switch text[..<colon].lowercased() {
        case "http": isTLS = false
        case "https": isTLS = true
        default: return nil
        }
        var rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//"), rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
        rest = rest.dropFirst(2).prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard let authority = HTTPURL.authority(rest[..<end], defaultPort: isTLS ? 443 : 80) else { return nil }
        (host, port) = authority
        let path = rest[end...]
        target = path.hasPrefix("/") ? String(path) : "/" + path
    }

    private static func authority(_ text: Substring, defaultPort: Int) -> (String, Int)? {
        var name = text
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            name = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            if !after.isEmpty {
                guard after.hasPrefix(":") else { return nil }
                portText = after.dropFirst()
            }
            guard name.contains(":"), name.utf8.allSatisfy({ isHex($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
                return nil
            }
        } else {
            if let colon = text.firstIndex(of: ":") {
                name = text[..<colon]
                portText = text[text.index(after: colon)...]
            }
            guard name.utf8.allSatisfy({ isNameOctet($0) }) else { return nil }
        }
        guard (1...253).contains(name.utf8.count) else { return nil }
        guard let portText, !portText.isEmpty else { return (name.lowercased(), defaultPort) }
        guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(portText), (1...65_535).contains(port) else {
            return nil
        }
        return (name.lowercased(), port)
    }

    private static func isHex(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x41...0x46).contains(octet) || (0x61...0x66).contains(octet)
    }

    private static func isNameOctet(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x41...0x5A).contains(octet) || (0x61...0x7A).contains(octet)
            || octet == UInt8(ascii: "-") || octet == UInt8(ascii: ".") || octet == UInt8(ascii: "_")
    }

    /// For the Host header: the port where it is not the scheme's own.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The server alone: what connections are kept for.
    package var origin: String { "\(isTLS ? "https" : "http")://\(authority)" }
}
