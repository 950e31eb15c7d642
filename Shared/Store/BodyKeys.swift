import Crypto
import Foundation

/// Keys for the texts of accounts whose `logbody` is `encrypted`.
///
/// A file with a key on each line, `KEYID 64-HEX-DIGITS`; empty lines and those that begin with `#` mean nothing. The first key
/// encrypts, all of them decrypt: a new key is put at the top, and the old ones stay for what they have encrypted.
///
/// AES-256-GCM (NIST SP 800-38D) under a key of its own for each message, made from the file's by HKDF-SHA256 (RFC 5869) with the
/// message id: so the number of messages is not bound by what random nonces allow under one key. The message id is authenticated
/// too: a text that is moved to another message's row does not decrypt.
public struct BodyKeys: Sendable {
    /// The variable that names the file.
    public static let variable = "SIGNALBOX_BODY_KEY_FILE"
    private static let keyOctets = 32

    private let current: String
    private let keys: [String: SymmetricKey]

    /// What is kept secret of a message: the columns `body` and `udh`.
    public struct Content: Sendable, Equatable {
        public var body: String
        /// In hex.
        public var udh: String?

        public init(body: String, udh: String?) {
            self.body = body
            self.udh = udh
        }
    }

    /// Why a text cannot be read.
    public enum Fault: Error, Sendable, Equatable, CustomStringConvertible {
        case unknownKey(String)
        case damaged

        public var description: String {
            switch self {
            case .unknownKey(let id): "encrypted with the key \(id), which is not at hand"
            case .damaged: "encrypted, and damaged: it does not fit its key and message"
            }
        }
    }

    /// - Throws: `StoreError` that names the line, never a key.
    public init(parsing text: String) throws(StoreError) {
        var keys: [String: SymmetricKey] = [:]
        var first: String?
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard let name = words.first, !name.hasPrefix("#") else { continue }
            let id = String(name)
            guard words.count == 2, id.utf8.count <= 32, id.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }),
                let octets = Self.octets(hex: words[1]), octets.count == Self.keyOctets
            else {
                throw .invalid("line \(number + 1): a key is written as its name (letters, digits, -) and 64 hexadecimal digits")
            }
            guard keys[id] == nil else { throw .invalid("line \(number + 1): there is a key \(id) already") }
            keys[id] = SymmetricKey(data: octets)
            first = first ?? id
        }
        guard let first else { throw .invalid("there is no key in it") }
        current = first
        self.keys = keys
    }

    /// - Throws: `StoreError` that names the file.
    public static func load(path: String) throws(StoreError) -> BodyKeys {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw .invalid("the key file \(path) (\(variable)) cannot be read")
        }
        do { return try BodyKeys(parsing: text) } catch { throw .invalid("the key file \(path) (\(variable)): \(error)") }
    }

    /// A new file's text, with one key from the system's generator.
    public static func makeFile() -> String {
        var generator = SystemRandomNumberGenerator()
        let octets = (0..<keyOctets + 4).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return """
            # Keys of the encrypted texts in the message log: the first encrypts, all decrypt. Keep a copy: without it those texts are lost.
            k\(hex(octets[keyOctets...])) \(hex(octets[..<keyOctets]))

            """
    }

    /// - Returns: the key's id, and what goes into `messagebody.sealed`: nonce (12 octets), ciphertext, tag (16).
    public func seal(_ content: Content, msgid: Int64) throws -> (keyID: String, sealed: [UInt8]) {
        guard let key = keys[current] else { throw Fault.unknownKey(current) }
        let body = Array(content.body.utf8)
        // Octets of the body (32 bits, big endian), body, udh.
        let plain = withUnsafeBytes(of: UInt32(clamping: body.count).bigEndian, Array.init) + body + Array((content.udh ?? "").utf8)
        let box = try AES.GCM.seal(plain, using: Self.key(key, msgid), authenticating: Self.label(msgid))
        return (current, Array(box.nonce) + Array(box.ciphertext) + Array(box.tag))
    }

    public func open(_ sealed: [UInt8], keyID: String, msgid: Int64) throws(Fault) -> Content {
        guard let key = keys[keyID] else { throw .unknownKey(keyID) }
        let plain: [UInt8]
        do {
            plain = Array(
                try AES.GCM.open(
                    try AES.GCM.SealedBox(combined: sealed), using: Self.key(key, msgid), authenticating: Self.label(msgid)))
        } catch { throw .damaged }
        guard plain.count >= 4 else { throw .damaged }
        let count = plain.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard count <= plain.count - 4 else { throw .damaged }
        let udh = String(decoding: plain.dropFirst(4 + count), as: UTF8.self)
        return Content(body: String(decoding: plain.dropFirst(4).prefix(count), as: UTF8.self), udh: udh.isEmpty ? nil : udh)
    }

    private static func key(_ key: SymmetricKey, _ msgid: Int64) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: label(msgid), outputByteCount: keyOctets)
    }

    private static func label(_ msgid: Int64) -> [UInt8] {
        Array("signalbox messagebody 1 ".utf8) + withUnsafeBytes(of: msgid.bigEndian, Array.init)
    }

    private static func octets(hex: Substring) -> [UInt8]? {
        let digits = hex.compactMap { $0.isASCII ? $0.hexDigitValue : nil }
        guard digits.count == hex.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private static func hex(_ octets: ArraySlice<UInt8>) -> String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
