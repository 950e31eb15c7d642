/// A row of `emguseraccess`: from where, and through which connector, a user may come in.
public struct AccessRow: Sendable, Equatable {
    public let id: Int64
    /// EMG's integer columns (v4).
    public let ipaddress: Int64?
    public let ipmask: Int?
    /// The text columns since EMG 5.5 (v4 and v6). They decide where they are filled.
    public let ipstr: String?
    public let ipwidth: Int?
    /// A connector's name, or `*` for any.
    public let connector: String

    public init(id: Int64, ipaddress: Int64?, ipmask: Int?, ipstr: String?, ipwidth: Int?, connector: String) {
        self.id = id
        self.ipaddress = ipaddress
        self.ipmask = ipmask
        self.ipstr = ipstr
        self.ipwidth = ipwidth
        self.connector = connector
    }

    /// The networks that the row allows. EMG's 0/0 means everything, and so does `0.0.0.0/0` in text: with it
    /// nobody means to lock IPv6 out. A row that makes no sense allows nothing.
    var networks: [IPNetwork] {
        if let ipstr, !ipstr.isEmpty {
            // The text may hold the width itself.
            guard let written = IPNetwork(ipstr) else { return [] }
            let width = ipstr.contains("/") ? written.width : ipwidth ?? written.width
            return Self.orEverything(IPNetwork(address: written.address, width: width))
        }
        guard let ipaddress, let number = UInt32(exactly: ipaddress), let mask = ipmask, (0...32).contains(mask) else { return [] }
        return Self.orEverything(IPNetwork(address: IPAddress(v4: number), width: mask))
    }

    private static func orEverything(_ network: IPNetwork) -> [IPNetwork] {
        guard network.width == 0, network.address.octets.allSatisfy({ $0 == 0 }) else { return [network] }
        return ["0.0.0.0/0", "::/0"].compactMap { IPNetwork($0) }
    }
}

/// EMG's rule: a login needs an access row that fits; without any row nobody gets in.
public enum AccessRules {
    public static func allows(_ rows: [AccessRow], ip: IPAddress, connector: String) -> Bool {
        rows.contains { row in
            (row.connector == "*" || row.connector == connector) && row.networks.contains { $0.contains(ip) }
        }
    }
}
