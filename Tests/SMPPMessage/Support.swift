import Charset
import Message
import SMPP
import SMPPMessage

/// SplitMix64: the same seed gives the same run.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Any Unicode: plain text, extension characters, letters of many scripts, emoji with joiners, marks, any scalar at all.
    mutating func text(_ most: Int) -> String {
        let pieces: [[String]] = [
            Array("abcdefghijklmnopqrstuvwxyz ABC 0123456789.,").map(String.init),
            ["€", "{", "}", "[", "]", "~", "\\", "^", "|", "@", "\n"],
            ["é", "e\u{301}", "ş", "ı", "ã", "ñ", "Ω", "Ж", "中", "क", "்"], ["😀", "👩‍👩‍👧‍👦", "🇸🇪", "👍🏽", "𝒳", "\u{10FFFF}", "\u{200D}"],
        ]
        let mix = Int.random(in: 1...pieces.count, using: &self)
        var text = ""
        for _ in 0..<Int.random(in: 0...most, using: &self) {
            let choice = pieces[Int.random(in: 0..<mix, using: &self)]
            text += choice[Int.random(in: 0..<choice.count, using: &self)]
            if mix == 4, Int.random(in: 0..<20, using: &self) == 0, let any = Unicode.Scalar(UInt32.random(in: 1...0xFFFF, using: &self)) {
                text.unicodeScalars.append(any)
            }
        }
        return text
    }
}

func message(_ text: String, encoding: Message.Encoding = .utf8) -> ShortMessage {
    var message = ShortMessage()
    message.msgid = 0x1234_5678
    message.type = .message
    message.source = MessageReader.address("46700000001")
    message.destination = MessageReader.address("46701234567")
    message.body.text = text
    message.body.encoding = encoding
    return message
}
