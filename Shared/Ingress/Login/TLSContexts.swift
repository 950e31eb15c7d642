package import Configuration
import Foundation
package import Logging
package import NIOSSL
import ServiceKit
import Synchronization

/// The certificate that a connector shows, read again when its files change. Sessions keep what they began with.
package final class TLSContexts: Sendable {
    private struct State {
        var context: NIOSSLContext
        var stamp: [String]
        var failed: [String]?
    }

    private let configuration: IncomingOptions.TLS
    private let state: Mutex<State>
    private let logger: Logger

    /// - Throws: `ServiceError` naming the file that cannot be used.
    package init(_ configuration: IncomingOptions.TLS, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(State(context: try TLSContexts.load(configuration), stamp: TLSContexts.stamp(configuration)))
    }

    package var current: NIOSSLContext { state.withLock { $0.context } }

    /// Looks at the files. Reads from disk: not for event loops.
    package func refresh() {
        let stamp = TLSContexts.stamp(configuration)
        guard state.withLock({ $0.stamp != stamp && $0.failed != stamp }) else { return }
        do {
            let context = try TLSContexts.load(configuration)
            state.withLock { $0 = State(context: context, stamp: stamp) }
            logger.notice("certificate read again", metadata: ["file": "\(configuration.certificateFile)"])
        } catch {
            // Half written, or key and certificate do not fit yet: what there was stays, and the next change is tried.
            state.withLock { $0.failed = stamp }
            logger.error("changed certificate cannot be used, the old one stays", metadata: ["error": "\(error)"])
        }
    }

    private static func files(_ configuration: IncomingOptions.TLS) -> [String] {
        [configuration.keyFile, configuration.certificateFile, configuration.clientAuthorityFile].compactMap { $0 }
    }

    /// Changes when a file does.
    private static func stamp(_ configuration: IncomingOptions.TLS) -> [String] {
        files(configuration).map { path in
            var information = stat()
            guard stat(path, &information) == 0 else { return "missing" }
            let time = information.st_mtim
            return "\(information.st_ino) \(information.st_size) \(time.tv_sec).\(time.tv_nsec)"
        }
    }

    private static func load(_ configuration: IncomingOptions.TLS) throws -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
        do { chain = try NIOSSLCertificate.fromPEMFile(configuration.certificateFile) } catch {
            throw ServiceError("no certificate in \(configuration.certificateFile): \(error)")
        }
        do { key = try NIOSSLPrivateKey(file: configuration.keyFile, format: .pem) } catch {
            throw ServiceError("no private key in \(configuration.keyFile): \(error)")
        }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        tls.minimumTLSVersion =
            switch configuration.minimumVersion {
            case .v12: .tlsv12
            case .v13: .tlsv13
            }
        if let authorities = configuration.clientAuthorityFile {
            do { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities)) } catch {
                throw ServiceError("no certificates in \(authorities): \(error)")
            }
        }
        switch configuration.clientCertificate {
        case .none: tls.certificateVerification = .none
        case .optional: tls.certificateVerification = .optionalVerification
        case .required: tls.certificateVerification = .noHostnameVerification
        }
        do { return try NIOSSLContext(configuration: tls) } catch {
            throw ServiceError("key \(configuration.keyFile) and certificate \(configuration.certificateFile) do not go together: \(error)")
        }
    }
}
