import HTTPClient
import Store

/// Keeps requests that clients ask us to make away from our own machines: an address that a client names must not be a way into the
/// operator's network. Pure.
struct AddressGuard: Sendable {
    /// IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890): this host, private, shared, loopback, link-local with the clouds'
    /// metadata services, tests, multicast, reserved; and what carries an IPv4 address inside.
    private static let internalNetworks = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10",
        "fec0::/10", "ff00::/8",
    ].compactMap { IPNetwork($0) }

    /// WEBHOOKALLOW.
    private let allowed: [IPNetwork]

    init(allowed: [String]) { self.allowed = allowed.compactMap { IPNetwork($0) } }

    /// - Parameter address: in digits. What cannot be read is not allowed.
    func allows(_ address: String) -> Bool {
        guard let address = IPAddress(address) else { return false }
        if allowed.contains(where: { $0.contains(address) }) { return true }
        return !AddressGuard.internalNetworks.contains { $0.contains(address) }
    }
}

/// An address that a client names for its reports.
func callbackURL(_ text: String) -> HTTPURL? { text.utf8.count <= 2_000 ? HTTPURL(text) : nil }
