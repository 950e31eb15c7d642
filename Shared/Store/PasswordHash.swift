import Crypto
import CryptoExtras
import Foundation

/// How a password is kept, and whether a given one fits.
///
/// New ones are hashed with scrypt (RFC 7914) as `scrypt$N$r$p$salt$hash`, salt and hash in base64. EMG's clear
/// text and MD5 (hexadecimal) are accepted too, and replaced after the next good login.
public enum PasswordHash {
    /// About 50 ms and 16 MiB for a check, which happens at a bind only.
    private static let rounds = 16_384
    private static let blockSize = 8
    private static let parallelism = 1
    private static let hashOctets = 32
    private static let saltOctets = 16
    /// A stored hash that asks for more is not computed: 64 MiB.
    private static let maximumMemoryOctets = 64 * 1_024 * 1_024
    /// A longer password is refused without a computation.
    public static let maximumPasswordOctets = 256

    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    /// Hashes a new password with a fresh salt.
    public static func make(_ password: String) throws -> String {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<saltOctets).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let hash = try derive(password, salt, rounds, blockSize, parallelism, hashOctets)
        return "scrypt$\(rounds)$\(blockSize)$\(parallelism)$\(Data(salt).base64EncodedString())$\(Data(hash).base64EncodedString())"
    }

    /// Compares in a time that does not depend on where the difference is.
    public static func verify(_ password: String, scrypt stored: String) -> Bool {
        let parts = stored.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let rounds = Int(parts[1]), let blockSize = Int(parts[2]),
            let parallelism = Int(parts[3]), let salt = Data(base64Encoded: parts[4]), let hash = Data(base64Encoded: parts[5]),
            rounds > 1, rounds & (rounds - 1) == 0, rounds <= 1 << 20, (1...64).contains(blockSize), (1...16).contains(parallelism),
            128 * rounds * blockSize <= maximumMemoryOctets, (16...64).contains(hash.count)
        else { return false }
        guard let derived = try? derive(password, [UInt8](salt), rounds, blockSize, parallelism, hash.count) else { return false }
        return constantTimeEquals(derived, [UInt8](hash))
    }

    /// Against EMG's `md5password`: the MD5 of the password in hexadecimal.
    public static func verify(_ password: String, md5 stored: String) -> Bool {
        let digits = Array("0123456789abcdef".utf8)
        let hex = Insecure.MD5.hash(data: Array(password.utf8)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return constantTimeEquals(hex, Array(stored.lowercased().utf8))
    }

    public static func verify(_ password: String, plain stored: String) -> Bool {
        // Hashes have one length, so that not even the lengths are compared in variable time.
        constantTimeEquals(Array(SHA256.hash(data: Array(password.utf8))), Array(SHA256.hash(data: Array(stored.utf8))))
    }

    private static func derive(
        _ password: String, _ salt: [UInt8], _ rounds: Int, _ blockSize: Int, _ parallelism: Int, _ octets: Int
    ) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: octets, rounds: rounds, blockSize: blockSize,
            parallelism: parallelism)
        return key.withUnsafeBytes { Array($0) }
    }

    private static func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
