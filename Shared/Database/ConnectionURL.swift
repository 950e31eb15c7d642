import CLibPQ

/// Reads a connection URL as libpq does, to say where it leads and to keep its secrets out of messages.
public enum ConnectionURL {
    /// `user@host:port/database`, with no password: what may be printed.
    public static func printable(_ url: String) -> String {
        guard let parts = try? parse(url) else { return "an unreadable database URL" }
        let place = (parts["host"] ?? parts["hostaddr"] ?? "local") + (parts["port"].map { ":\($0)" } ?? "")
        return (parts["user"].map { "\($0)@" } ?? "") + place + "/" + (parts["dbname"] ?? "")
    }

    static func secrets(of url: String) throws(DatabaseError) -> [String] {
        let parts = try parse(url)
        return ["password", "sslpassword"].compactMap { parts[$0] }.filter { !$0.isEmpty }
    }

    static func redact(_ message: String, _ secrets: [String]) -> String {
        secrets.reduce(message) { text, secret in
            text.split(separator: secret, omittingEmptySubsequences: false).joined(separator: "***")
        }
    }

    /// The parts that the URL gives. libpq's own message about a bad one quotes pieces of it, possibly the
    /// password, and is dropped.
    private static func parse(_ url: String) throws(DatabaseError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        let options = PQconninfoParse(url, &message)
        if let message { PQfreemem(message) }
        guard let options else { throw DatabaseError(kind: .usage, message: "the database URL cannot be read") }
        defer { PQconninfoFree(options) }
        var parts: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parts[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return parts
    }
}

/// Calls `body` with a NULL-terminated array of C strings, valid during the call.
func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> R) -> R {
    var storage: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(storage.count)
        storage.append(contentsOf: string.utf8.map { CChar(bitPattern: $0) })
        storage.append(0)
    }
    return storage.withUnsafeBufferPointer { buffer in
        var pointers: [UnsafePointer<CChar>?] = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
