import { Failure, type FailureOptions } from '../base/failure.ts'

/**
 * Why two devices do not talk. The codes travel on the wire; each side has its own sentences for them, so that nothing a stranger writes is
 * ever shown.
 */
const sentences = {
  'device-no-certificate': ['The other device showed no key.', 'Nothing was sent to it.'],
  'device-session-resumed': ['The other device tried to go on with an old connection.', 'Nothing was sent to it.'],
  'device-wrong-protocol': [
    'The other side does not speak the language of paired devices.',
    'Check the address, and that both run Cocoon.',
  ],
  'device-other-key': ['At this address another device answers than the one that was paired.', 'Nothing was sent to it.'],
  'device-unknown': ['The other computer does not know this device.', 'Pair the two again.'],
  'device-removed': ['The other computer has removed this device.', 'Nothing was sent. Pair the two again to go on.'],
  'device-busy': ['The other computer answers as many questions of this device as it allows.', 'Wait for one of them to end.'],
  'device-unreachable': [
    'The other computer cannot be reached.',
    'See that it is on, in the same network, and lets other devices use its engine.',
  ],
  'device-malformed': ['The other device sent what the protocol does not know.', 'Update Cocoon on both devices.'],
  'device-silent': ['The other device does not answer any more.', 'Try again.'],
  'device-engine': ['The engine of the other computer could not answer.', 'Look at that computer, or try again.'],
  'pairing-address': [
    'This is no address of a computer.',
    'Type it as the other computer shows it, for example 192.168.1.5:4812.',
  ],
  'pairing-words': ['These are not six words of the list.', 'Type the six words that the other computer shows.'],
  'pairing-closed': ['The other computer shows no code now.', 'Open pairing in its settings and type the new words.'],
  'pairing-expired': ['The code of the other computer has run out.', 'Open pairing there again and type the new words.'],
  'pairing-used': ['This code was used already.', 'Open pairing there again and type the new words.'],
  'pairing-burned': [
    'The code was tried too often and counts no more.',
    'Open pairing again on the computer that shows the code, and type the new words.',
  ],
  'pairing-busy': ['The other computer is pairing with another device right now.', 'Wait a moment and try again.'],
  'pairing-not-proven': [
    'The words do not fit, or somebody stands between the two devices.',
    'Compare the words and the address. Nothing was paired.',
  ],
  'pairing-declined': ['The pairing was declined.', 'Nothing was paired.'],
  'pairing-timeout': ['The pairing took too long.', 'Nothing was paired. Begin again.'],
} as const satisfies Record<string, readonly [message: string, advice: string]>

export type DeviceCode = keyof typeof sentences

export function isDeviceCode(code: string): code is DeviceCode {
  return Object.hasOwn(sentences, code)
}

export function deviceFailure(code: DeviceCode, options: FailureOptions = {}): Failure<DeviceCode> {
  const [message, advice] = sentences[code]
  return new Failure(code, message, { advice, ...options })
}
