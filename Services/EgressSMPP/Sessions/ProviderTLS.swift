import Configuration
import NIOCore
import NIOSSL

/// What a session with a provider needs to speak TLS (1.2 or later).
struct ProviderTLS: Sendable {
    private let context: NIOSSLContext
    private let serverName: String?

    /// Reads the certificate files. Blocks.
    init(_ options: OutgoingOptions.TLS, host: String) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        switch options.verification {
        case .full: configuration.certificateVerification = .fullVerification
        case .chain: configuration.certificateVerification = .noHostnameVerification
        case .none: configuration.certificateVerification = .none
        }
        if let file = options.authoritiesFile { configuration.trustRoots = .file(file) }
        if let file = options.keyFile {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: file, format: .pem))
        }
        context = try NIOSSLContext(configuration: configuration)
        // An address is no name for SNI; the certificate is then held against the address itself.
        let name = options.serverName ?? host
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        serverName = isAddress ? nil : name
    }

    func handler() throws -> NIOSSLClientHandler { try NIOSSLClientHandler(context: context, serverHostname: serverName) }
}
