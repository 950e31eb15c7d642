import Crypto
import Foundation
import Synchronization

/// Remembers which passwords fitted which stored hash, so that a client with many sessions costs its hash (some 50 ms) once.
///
/// What is kept is a keyed digest of both, under a key that this process made and nobody else has. A changed password has another
/// stored hash and so is not remembered. Wrong ones are never kept: trying passwords stays slow.
public final class PasswordMemory: Sendable {
    /// More passwords than an instance has accounts bound at a time; beyond it all are forgotten.
    private static let capacity = 20_000

    private let key = SymmetricKey(size: .bits256)
    private let known = Mutex<Set<Data>>([])

    public init() {}

    /// Whether `password` fits the stored scrypt hash.
    public func fits(_ password: String, _ stored: String) -> Bool {
        let digest = Data(HMAC<SHA256>.authenticationCode(for: Array(stored.utf8) + [0] + Array(password.utf8), using: key))
        if known.withLock({ $0.contains(digest) }) { return true }
        guard PasswordHash.verify(password, scrypt: stored) else { return false }
        known.withLock { known in
            if known.count >= PasswordMemory.capacity { known.removeAll(keepingCapacity: true) }
            known.insert(digest)
        }
        return true
    }
}
