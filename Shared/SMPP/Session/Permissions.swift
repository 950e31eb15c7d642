/// Which side speaks.
enum Speaker { case esme, smsc }

extension Session.Role {
    var speaker: Speaker { self == .esme ? .esme : .smsc }
    var peer: Speaker { self == .esme ? .smsc : .esme }
}

/// SMPP 3.4 §2.3, table 2-1 (5.0: §2.4 with the broadcast operations), for requests on a bound session that belong to the
/// application.
enum Permissions {
    static func allows(_ command: CommandID, from speaker: Speaker, in kind: BindKind) -> Bool {
        switch command {
        case .submitSm, .submitMulti, .querySm, .cancelSm, .replaceSm, .broadcastSm, .queryBroadcastSm, .cancelBroadcastSm:
            speaker == .esme && kind.transmits
        case .deliverSm, .alertNotification:
            speaker == .smsc && kind.receives
        case .dataSm:
            speaker == .esme ? kind.transmits : kind.receives
        default:
            false
        }
    }
}
