/// The optional parameters by name, each as its type: nil when absent or of a wrong length. Those that every program asks
/// for stand beside ``TLVs`` itself. Sections are of SMPP 3.4 §5.3.2, or of 5.0 where that is said.
extension TLVs {
    private func octet(_ tag: TLVTag) -> UInt8? {
        guard let value = self[tag], value.count == 1 else { return nil }
        return value[0]
    }

    private func short(_ tag: TLVTag) -> UInt16? {
        guard let value = self[tag], value.count == 2 else { return nil }
        return UInt16(value[0]) << 8 | UInt16(value[1])
    }

    /// The raw value where its length is right.
    private func octets(_ tag: TLVTag) -> [UInt8]? {
        guard let value = self[tag], TLV(tag: tag, value: value).hasValidLength else { return nil }
        return value
    }

    /// Which part of the handset: 1 display (flash), 2 ME, 3 smart card, 4 external unit (.1, .2).
    public var destAddrSubunit: UInt8? { self.octet(.destAddrSubunit) }
    public var sourceAddrSubunit: UInt8? { self.octet(.sourceAddrSubunit) }
    /// 1 GSM, 2 ANSI-136, 3 IS-95, 4 PDC, 5 PHS, 6 iDEN, 7 AMPS, 8 paging (.3, .4).
    public var destNetworkType: UInt8? { self.octet(.destNetworkType) }
    public var sourceNetworkType: UInt8? { self.octet(.sourceNetworkType) }
    /// 1 SMS, 2 CSD, 3 packet data, 4 USSD, ... (.5, .6).
    public var destBearerType: UInt8? { self.octet(.destBearerType) }
    public var sourceBearerType: UInt8? { self.octet(.sourceBearerType) }
    /// The network's protocol identifier: two octets for the destination, one for the source (.7, .8).
    public var destTelematicsID: UInt16? { self.short(.destTelematicsID) }
    public var sourceTelematicsID: UInt8? { self.octet(.sourceTelematicsID) }
    /// Seconds that the message may live (.9).
    public var qosTimeToLive: UInt32? { self[.qosTimeToLive]?.count == 4 ? self.integer(.qosTimeToLive) : nil }
    /// 0 default, 1 WCMP (.10).
    public var payloadType: UInt8? { self.octet(.payloadType) }
    /// What the peer says of an error, for people (.11).
    public var additionalStatusInfoText: String? { self.text(.additionalStatusInfoText) }
    /// Message waiting: bit 7 on or off, bits 1 and 0 which indicator (.13).
    public var msMsgWaitFacilities: UInt8? { self.octet(.msMsgWaitFacilities) }
    /// 0 not restricted to 3 secret (.14).
    public var privacyIndicator: UInt8? { self.octet(.privacyIndicator) }
    /// A tag octet, then the subaddress (.15, .16).
    public var sourceSubaddress: [UInt8]? { self.octets(.sourceSubaddress) }
    public var destSubaddress: [UInt8]? { self.octets(.destSubaddress) }
    /// The recipient's answer (.18).
    public var userResponseCode: UInt8? { self.octet(.userResponseCode) }
    /// .37
    public var callbackNumPresInd: UInt8? { self.octet(.callbackNumPresInd) }
    /// The name of the callback number, its data_coding first (.38).
    public var callbackNumAtag: [UInt8]? { self.octets(.callbackNumAtag) }
    /// Messages in the mailbox, 0 to 99 (.39).
    public var numberOfMessages: UInt8? { self.octet(.numberOfMessages) }
    /// Digit mode, TON, NPI, digits; may come more than once (.36).
    public var callbackNum: [UInt8]? { self.octets(.callbackNum) }
    /// Whether a delivery pending flag was set (.28), and whether to set it (.29).
    public var dpfResult: UInt8? { self.octet(.dpfResult) }
    public var setDpf: UInt8? { self.octet(.setDpf) }
    /// .44
    public var ussdServiceOp: UInt8? { self.octet(.ussdServiceOp) }
    /// .26, .27, .40: display, signal, validity on the handset; .41: an alert, with or without a priority.
    public var displayTime: UInt8? { self.octet(.displayTime) }
    public var smsSignal: UInt16? { self.short(.smsSignal) }
    public var msValidity: [UInt8]? { self.octets(.msValidity) }
    public var alertOnMessageDelivery: [UInt8]? { self.octets(.alertOnMessageDelivery) }
    /// .42, .43: interactive teleservice.
    public var itsReplyType: UInt8? { self.octet(.itsReplyType) }
    public var itsSessionInfo: UInt16? { self.short(.itsSessionInfo) }

    /// 5.0 §4.8.4.7: 0 basic channel, 1 extended.
    public var broadcastChannelIndicator: UInt8? { self.octet(.broadcastChannelIndicator) }
    /// 5.0 §4.8.4.8: network type, then the kind of content.
    public var broadcastContentType: (network: UInt8, content: UInt16)? {
        self.octets(.broadcastContentType).map { ($0[0], UInt16($0[1]) << 8 | UInt16($0[2])) }
    }
    public var broadcastContentTypeInfo: [UInt8]? { self.octets(.broadcastContentTypeInfo) }
    /// 5.0 §4.8.4.12: 0 none, 1 to 3 classes, 4 teleservice.
    public var broadcastMessageClass: UInt8? { self.octet(.broadcastMessageClass) }
    /// 5.0 §4.8.4.13: how often; 0 without end.
    public var broadcastRepNum: UInt16? { self.short(.broadcastRepNum) }
    /// 5.0 §4.8.4.11: a unit (8 seconds, 9 minutes, 10 hours, 11 days, 12 weeks, 13 months, 14 years), then how many.
    public var broadcastFrequencyInterval: (unit: UInt8, count: UInt16)? {
        self.octets(.broadcastFrequencyInterval).map { ($0[0], UInt16($0[1]) << 8 | UInt16($0[2])) }
    }
    /// 5.0 §4.8.4.4: a format octet, then the area; may come more than once (``all(_:)``).
    public var broadcastAreaIdentifier: [UInt8]? { self.octets(.broadcastAreaIdentifier) }
    /// 5.0 §4.8.4.10: why an area failed, one for each.
    public var broadcastErrorStatus: CommandStatus? {
        self[.broadcastErrorStatus]?.count == 4 ? self.integer(.broadcastErrorStatus).map { CommandStatus(rawValue: $0) } : nil
    }
    /// 5.0 §4.8.4.5: percent of the area that was reached; 255 unknown.
    public var broadcastAreaSuccess: UInt8? { self.octet(.broadcastAreaSuccess) }
    /// 5.0 §4.8.4.9: an absolute time (see ``SMPPTime``).
    public var broadcastEndTime: String? { self.text(.broadcastEndTime) }
    public var broadcastServiceGroup: [UInt8]? { self.octets(.broadcastServiceGroup) }
    public var billingIdentification: [UInt8]? { self.octets(.billingIdentification) }
    /// 5.0 §4.8.4.57, .24: an E.164 or X.121 network.
    public var sourceNetworkID: String? { self.text(.sourceNetworkID) }
    public var destNetworkID: String? { self.text(.destNetworkID) }
    /// 5.0 §4.8.4.59, .26: six digits.
    public var sourceNodeID: [UInt8]? { self.octets(.sourceNodeID) }
    public var destNodeID: [UInt8]? { self.octets(.destNodeID) }
    /// Number portability: 0 not asked, 1 asked and not ported, 2 ported (5.0 §4.8.4.21); its routing number (.20) and country (.19).
    public var destAddrNpResolution: UInt8? { self.octet(.destAddrNpResolution) }
    public var destAddrNpInformation: [UInt8]? { self.octets(.destAddrNpInformation) }
    public var destAddrNpCountry: [UInt8]? { self.octets(.destAddrNpCountry) }
}
