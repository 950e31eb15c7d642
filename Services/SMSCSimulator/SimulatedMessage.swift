import Charset
import SMPP

/// A message that the simulator accepted, until it is forgotten.
final class SimulatedMessage {
    let id: String
    let receiptID: String
    let systemID: String
    let source: SMEAddress
    let destination: SMEAddress
    let acceptedAt: Int64
    /// When it reaches `finalState`, on the clock of the event loop.
    let dueAt: Int64
    var text: String
    var finalState: SMSCConfiguration.FinalState
    let registeredDelivery: RegisteredDelivery
    /// What the destination asks for; see ``MagicNumber``.
    var deed: MagicNumber.Deed?

    init(
        id: String, receiptID: String, systemID: String, source: SMEAddress, destination: SMEAddress, acceptedAt: Int64, dueAt: Int64,
        text: String, finalState: SMSCConfiguration.FinalState, registeredDelivery: RegisteredDelivery
    ) {
        self.id = id
        self.receiptID = receiptID
        self.systemID = systemID
        self.source = source
        self.destination = destination
        self.acceptedAt = acceptedAt
        self.dueAt = dueAt
        self.text = text
        self.finalState = finalState
        self.registeredDelivery = registeredDelivery
    }

    /// The receipt as a deliver_sm: from the recipient back to the sender.
    func receipt() -> DeliverSm {
        let delivered = self.finalState.state == .delivered
        let receipt = DeliveryReceipt(
            messageID: self.receiptID, state: self.finalState.state, error: self.finalState.error, submitted: 1,
            delivered: delivered ? 1 : 0, submitDate: SMPPTime.receiptDate(self.acceptedAt),
            doneDate: SMPPTime.receiptDate(epochMilliseconds()), text: String(self.text.prefix(20)))
        var tlvs = TLVs()
        tlvs.set(.receiptedMessageID, text: self.receiptID)
        tlvs.set(.messageState, self.finalState.state.rawValue)
        return DeliverSm(
            sourceAddr: self.destination, destinationAddr: self.source, esmClass: .deliveryReceipt,
            shortMessage: receipt.encodedText, tlvs: tlvs)
    }
}

/// What the simulator sends on its own account and waits to have answered.
enum Delivery {
    case receipt(SimulatedMessage)
    case mobileOriginated(DeliverSm)
}

/// User data as a line of text for people.
struct ReadableText {
    let text: String
    /// "part n of m ref r", or empty.
    let part: String

    init(userData: [UInt8], esmClass: ESMClass, dataCoding: DataCoding) {
        var body = userData
        var part = ""
        if esmClass.hasUserDataHeader, let (header, octets) = UserDataHeader.parse(userData) {
            body = Array(userData[octets...])
            if let concatenation = header.concatenation {
                part = "part \(concatenation.sequence) of \(concatenation.total) ref \(concatenation.reference)"
            }
        }
        self.part = part
        switch DecodedBody(octets: body, dataCoding: dataCoding.rawValue) {
        case .text(let text): self.text = text
        case .binary(let octets): self.text = "hex:" + octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }
}
