/// submit_sm (SMPP 3.4 §4.4.1).
public typealias SubmitSm = ShortMessagePDU
/// deliver_sm (SMPP 3.4 §4.6.1).
public typealias DeliverSm = ShortMessagePDU

/// submit_sm and deliver_sm, which are laid out alike (SMPP 3.4 §4.4.1, §4.6.1).
///
/// What was decoded is kept as the octets that came, every field checked and its place known: a field becomes a value when it
/// is read, and octets that nobody changed are written as they are. The first change turns them into fields.
public struct ShortMessagePDU: Sendable {
    private enum Form: Sendable {
        case octets(ShortMessageOctets)
        case fields(FieldBox)
    }

    /// Fields behind a reference, so that a PDU is a few words however often it is handed on.
    ///
    /// `@unchecked Sendable`: `value` is written only through ``ShortMessagePDU/change(_:)``, which first makes sure that
    /// nobody else refers to the box.
    private final class FieldBox: @unchecked Sendable {
        var value: ShortMessageFields
        init(_ value: ShortMessageFields) { self.value = value }
    }

    private var form: Form

    public init(
        serviceType: String = "", sourceAddr: SMEAddress = .init(), destinationAddr: SMEAddress = .init(),
        esmClass: ESMClass = .default, protocolID: UInt8 = 0, priorityFlag: UInt8 = 0, scheduleDeliveryTime: String = "",
        validityPeriod: String = "", registeredDelivery: RegisteredDelivery = .none, replaceIfPresentFlag: UInt8 = 0,
        dataCoding: DataCoding = .smscDefault, smDefaultMsgID: UInt8 = 0, shortMessage: [UInt8] = [], tlvs: TLVs = []
    ) {
        self.form = .fields(
            FieldBox(
                ShortMessageFields(
                    serviceType: serviceType, sourceAddr: sourceAddr, destinationAddr: destinationAddr, esmClass: esmClass,
                    protocolID: protocolID, priorityFlag: priorityFlag, scheduleDeliveryTime: scheduleDeliveryTime,
                    validityPeriod: validityPeriod, registeredDelivery: registeredDelivery, replaceIfPresentFlag: replaceIfPresentFlag,
                    dataCoding: dataCoding, smDefaultMsgID: smDefaultMsgID, shortMessage: shortMessage, tlvs: tlvs)))
    }

    /// All fields as values.
    private var fields: ShortMessageFields {
        switch self.form {
        case .octets(let octets): octets.fields
        case .fields(let box): box.value
        }
    }

    private mutating func change(_ body: (inout ShortMessageFields) -> Void) {
        if case .fields(var box) = self.form {
            self.form = .octets(.none)  // so that the box has one owner where it had one
            if !isKnownUniquelyReferenced(&box) { box = FieldBox(box.value) }
            body(&box.value)
            self.form = .fields(box)
        } else {
            var fields = self.fields
            body(&fields)
            self.form = .fields(FieldBox(fields))
        }
    }

    @inline(__always)
    private func read<Value>(_ field: KeyPath<ShortMessageFields, Value>, _ octets: (ShortMessageOctets) -> Value) -> Value {
        switch self.form {
        case .octets(let raw): octets(raw)
        case .fields(let box): box.value[keyPath: field]
        }
    }

    /// At most 5 octets.
    public var serviceType: String {
        get { self.read(\.serviceType) { $0.serviceType } }
        set { self.change { $0.serviceType = newValue } }
    }
    public var sourceAddr: SMEAddress {
        get { self.read(\.sourceAddr) { $0.sourceAddr } }
        set { self.change { $0.sourceAddr = newValue } }
    }
    public var destinationAddr: SMEAddress {
        get { self.read(\.destinationAddr) { $0.destinationAddr } }
        set { self.change { $0.destinationAddr = newValue } }
    }
    public var esmClass: ESMClass {
        get { self.read(\.esmClass) { ESMClass(rawValue: $0.octet(.esmClass)) } }
        set { self.change { $0.esmClass = newValue } }
    }
    public var protocolID: UInt8 {
        get { self.read(\.protocolID) { $0.octet(.protocolID) } }
        set { self.change { $0.protocolID = newValue } }
    }
    /// 0 to 3 (§5.2.14).
    public var priorityFlag: UInt8 {
        get { self.read(\.priorityFlag) { $0.octet(.priorityFlag) } }
        set { self.change { $0.priorityFlag = newValue } }
    }
    /// Empty or 16 characters (§7.1.1); see ``SMPPTime``.
    public var scheduleDeliveryTime: String {
        get { self.read(\.scheduleDeliveryTime) { $0.scheduleDeliveryTime } }
        set { self.change { $0.scheduleDeliveryTime = newValue } }
    }
    /// Empty or 16 characters (§7.1.1); see ``SMPPTime``.
    public var validityPeriod: String {
        get { self.read(\.validityPeriod) { $0.validityPeriod } }
        set { self.change { $0.validityPeriod = newValue } }
    }
    public var registeredDelivery: RegisteredDelivery {
        get { self.read(\.registeredDelivery) { RegisteredDelivery(rawValue: $0.octet(.registeredDelivery)) } }
        set { self.change { $0.registeredDelivery = newValue } }
    }
    public var replaceIfPresentFlag: UInt8 {
        get { self.read(\.replaceIfPresentFlag) { $0.octet(.replaceIfPresentFlag) } }
        set { self.change { $0.replaceIfPresentFlag = newValue } }
    }
    public var dataCoding: DataCoding {
        get { self.read(\.dataCoding) { DataCoding(rawValue: $0.octet(.dataCoding)) } }
        set { self.change { $0.dataCoding = newValue } }
    }
    public var smDefaultMsgID: UInt8 {
        get { self.read(\.smDefaultMsgID) { $0.octet(.smDefaultMsgID) } }
        set { self.change { $0.smDefaultMsgID = newValue } }
    }
    /// User data, its header included where `esmClass` says so; at most 254 octets (5.0: 255).
    public var shortMessage: [UInt8] {
        get { self.read(\.shortMessage) { $0.shortMessage } }
        set { self.change { $0.shortMessage = newValue } }
    }
    public var tlvs: TLVs {
        get { self.read(\.tlvs) { $0.tlvs } }
        set { self.change { $0.tlvs = newValue } }
        _modify {
            var tlvs = self.tlvs
            self.change { $0.tlvs = [] }  // so that the list is changed in place
            defer { self.change { $0.tlvs = tlvs } }
            yield &tlvs
        }
    }

    /// The user data, wherever it is: message_payload counts when short_message is empty (§5.3.2.32).
    public var userData: [UInt8] {
        let shortMessage = self.shortMessage
        return shortMessage.isEmpty ? self.tlvs.messagePayload ?? [] : shortMessage
    }

    init(decoding reader: inout PDUReader) throws(PDUError) { self.form = .octets(try ShortMessageOctets(decoding: &reader)) }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        switch self.form {
        case .octets(let octets): writer.octets(octets.bytes)
        case .fields(let box): try box.value.encode(into: &writer)
        }
    }

    var octetBound: Int {
        switch self.form {
        case .octets(let octets): octets.bytes.count
        case .fields(let box): box.value.octetBound
        }
    }
}

extension ShortMessagePDU: Hashable {
    /// By what the fields say, however they are kept.
    public static func == (left: ShortMessagePDU, right: ShortMessagePDU) -> Bool {
        if case .octets(let one) = left.form, case .octets(let other) = right.form { return one.bytes == other.bytes }
        return left.fields == right.fields
    }

    public func hash(into hasher: inout Hasher) { self.fields.hash(into: &hasher) }
}

extension ShortMessagePDU: CustomReflectable {
    public var customMirror: Mirror { Mirror(reflecting: self.fields) }
}
