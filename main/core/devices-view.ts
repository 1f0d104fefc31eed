import type { DevicesState, PairedDevice } from '../../preload/api/devices.ts'
import { messageAndAdvice } from '../base/failure.ts'
import { qrMatrix } from '../base/qr-code.ts'
import type { Device } from '../devices/device-book.ts'
import type { Devices } from '../devices/devices.ts'
import type { PairingCode } from '../devices/pairing-code.ts'
import { pairingText } from '../devices/pairing-text.ts'
import { fingerprintOf } from '../devices/six-words.ts'

/** Everything that the page shows of paired devices, now. The words of an open code are in it: they are for the page alone. */
export function devicesState(devices: Devices): DevicesState {
  const { book, desk, identity } = devices
  const { name, sharing } = book.own.value
  const { code, joining, outcome, request } = desk.state.value
  const addresses = [...devices.addresses.value]
  return {
    name,
    fingerprint: fingerprintOf(identity.publicKey),
    sharing,
    addresses,
    joining,
    devices: book.devices.value.filter(({ removedAtMs }) => removedAtMs === null).map((device) => pairedDevice(devices, device)),
    ...(code && { code: shownCode(code, addresses) }),
    ...(request && {
      request: {
        id: request.id,
        role: request.role,
        name: request.peer.name,
        fingerprint: fingerprintOf(request.peer.key),
        state: request.state,
      },
    }),
    ...(outcome && {
      outcome:
        outcome.result === 'paired'
          ? outcome
          : { result: 'failed', reason: messageAndAdvice(outcome.failure), reasonWords: { ...outcome.failure.words } },
    }),
  }
}

/** Drawing a code takes milliseconds; it is drawn once. */
const drawn = new WeakMap<PairingCode, { readonly text: string; readonly qr: string[] }>()

function shownCode(code: PairingCode, addresses: readonly string[]): NonNullable<DevicesState['code']> {
  const text = pairingText(code.words, addresses)
  let picture = drawn.get(code)
  if (picture?.text !== text) {
    picture = { text, qr: qrMatrix(text).map((row) => row.map((dark) => (dark ? '1' : '0')).join('')) }
    drawn.set(code, picture)
  }
  return { words: code.words, text, qr: picture.qr, expiresAtMs: code.expiresAtMs, triesLeft: code.triesLeft }
}

function pairedDevice({ chosen, connected }: Devices, device: Device): PairedDevice {
  const link = chosen.value?.device.id === device.id ? chosen.value.link.state.value : undefined
  const problem = link?.status === 'connecting' ? link.failure : undefined
  return {
    id: device.id,
    role: device.role,
    name: device.name,
    fingerprint: fingerprintOf(device.key),
    pairedAtMs: device.pairedAtMs,
    lastSeenMs: device.lastSeenMs,
    connected: link ? link.status === 'up' : connected.value.has(device.id),
    chosen: link !== undefined,
    ...(problem && { problem: messageAndAdvice(problem), problemWords: { ...problem.words } }),
  }
}
