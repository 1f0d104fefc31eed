import { createServer } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Failure } from '../base/failure.ts'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../storage/database.ts'
import { deviceMigrations } from './device-book.ts'
import type { DeviceCode } from './device-failure.ts'
import { dialDevice } from './dial-device.ts'
import { FrameSocket } from './frame-socket.ts'
import { mostPairingBytes } from './pairing-messages.ts'
import { beginHello } from './pake.ts'
import { bindingOf, deviceTls, pairingProtocol, peerKeyOf } from './peer-key.ts'
import { fingerprintOf, randomWords } from './six-words.ts'
import { addressOf, agree, bothAsked, newIdentity, newInstall, pairInstalls, type StagedInstall, soon } from './testing/stage.ts'

const wordsOf = ({ devices }: StagedInstall): string => devices.desk.state.value.code?.words ?? expect.fail('no code is shown')
const paired = ({ devices }: StagedInstall) => devices.book.devices.value.filter(({ removedAtMs }) => removedAtMs === null)

async function outcomeOf({ devices }: StagedInstall): Promise<string> {
  await soon(() => expect(devices.desk.state.value.outcome).toBeDefined())
  const outcome = devices.desk.state.value.outcome
  return outcome?.result === 'failed' ? outcome.failure.code : (outcome?.result ?? '')
}

async function twoInstalls(options: Parameters<typeof newInstall>[1] = {}) {
  return { host: await newInstall('Gaming PC', options), guest: await newInstall('Laptop') }
}

/** A guest that speaks the protocol message by message. */
async function rawGuest(host: StagedInstall) {
  const identity = await newIdentity()
  const control = new AbortController()
  onTestFinished(() => control.abort())
  const { socket, frames, key } = await dialDevice({
    address: addressOf(host),
    identity,
    protocol: pairingProtocol,
    timeoutMs: 60_000,
    signal: control.signal,
  })
  const parties = { hostKey: key, guestKey: identity.publicKey, binding: bindingOf(socket) }
  return { frames, parties, socket, read: () => frames.read(60_000) as Promise<Record<string, string> | undefined> }
}

/** One whole attempt with words of its own, up to the host's word about it. */
async function attempt(host: StagedInstall, words: string): Promise<unknown> {
  const { frames, parties, read } = await rawGuest(host)
  const first = await read()
  if (first?.t !== 'ready') return first?.code
  const { hello, proofFor } = await beginHello(words, parties)
  await frames.send({ t: 'hello', ke1: hello })
  const answer = await read()
  if (answer?.t !== 'answer') return answer?.code
  let ke3: string
  try {
    ke3 = proofFor(answer.ke2 ?? '')
  } catch (thrown) {
    return (thrown as Failure).code
  } finally {
    if (words !== host.devices.desk.state.value.code?.words) frames.close()
  }
  await frames.send({ t: 'proof', ke3, name: 'Raw' })
  return (await read())?.t
}

describe('pairing two installs', () => {
  it('with the words of the host: both see the other by name and fingerprint, both agree, both remember', async () => {
    const { host, guest } = await twoInstalls()
    expect(host.devices.addresses.value).toEqual([])
    await host.devices.openCode()
    expect(host.devices.addresses.value.length).toBeGreaterThan(0)
    guest.devices.join(addressOf(host), wordsOf(host).toUpperCase())
    await bothAsked(host, guest)
    const [hostKey, guestKey] = [host.devices.identity.publicKey, guest.devices.identity.publicKey]
    expect(host.devices.desk.state.value.request).toMatchObject({ role: 'guest', peer: { name: 'Laptop', key: guestKey } })
    expect(guest.devices.desk.state.value.request).toMatchObject({ role: 'host', peer: { name: 'Gaming PC', key: hostKey } })
    expect(fingerprintOf(hostKey)).not.toBe(fingerprintOf(guestKey))
    // Until both have agreed, nobody keeps anything.
    let hostAgreed = false
    const early: string[] = []
    for (const { devices } of [host, guest])
      devices.book.devices.onChange(() => {
        if (!hostAgreed) early.push(devices.book.own.value.name)
      })
    agree(guest)
    // By the time that a later connection has been answered, the guest's word has been heard too.
    expect(await attempt(host, randomWords())).toBe('pairing-used')
    expect([...paired(host), ...paired(guest)]).toEqual([])
    hostAgreed = true
    agree(host)
    expect(await outcomeOf(guest)).toBe('paired')
    expect(await outcomeOf(host)).toBe('paired')
    expect(early).toEqual([])
    expect(paired(host)).toMatchObject([{ role: 'guest', name: 'Laptop', key: guestKey }])
    expect(paired(guest)).toMatchObject([{ role: 'host', name: 'Gaming PC', key: hostKey }])
    expect(paired(guest)[0]?.addresses[0]).toBe(addressOf(host))
    // Words and names are in no log.
    expect([...host.log, ...guest.log].join('\n')).not.toMatch(/Laptop|Gaming/)
  })

  it('by the text of the QR code alone', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    guest.devices.join(`cocoon-pair:1?w=${wordsOf(host).replaceAll(' ', '-')}&a=${addressOf(host)}`, '')
    await bothAsked(host, guest)
  })

  it.each(['host', 'guest'] as const)('ends when the person at the %s declines', async (who) => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    const other = who === 'host' ? guest : host
    agree(other)
    agree(who === 'host' ? host : guest, false)
    expect(await outcomeOf(host)).toBe('pairing-declined')
    expect(await outcomeOf(guest)).toBe('pairing-declined')
    expect([...paired(host), ...paired(guest)]).toEqual([])
  })

  it('ends when a person does not answer, or the other device goes away', async () => {
    const { host, guest } = await twoInstalls({ pairingTimes: { confirmMs: 2_000 } })
    await host.devices.openCode()
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    expect(await outcomeOf(host)).toBe('pairing-timeout')
    expect(await outcomeOf(guest)).toBe('pairing-timeout')

    await host.devices.openCode()
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    await guest.devices.stop()
    expect(await outcomeOf(host)).toMatch(/device-silent|pairing-declined/)
    expect(host.devices.desk.state.value.request).toBeUndefined()
    expect(paired(host)).toEqual([])
  })

  it('fails with wrong words, and after three tries the code counts no more, not even with the right ones', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    const words = wordsOf(host)
    for (const left of [2, 1]) {
      guest.devices.join(addressOf(host), randomWords())
      expect(await outcomeOf(guest)).toBe('pairing-not-proven')
      await soon(() => expect(host.devices.desk.state.value.code?.triesLeft).toBe(left))
    }
    expect(await attempt(host, randomWords())).toBe('pairing-not-proven')
    await soon(() => expect(host.devices.desk.state.value.code).toBeUndefined())
    expect(await outcomeOf(host)).toBe('pairing-burned')
    guest.devices.join(addressOf(host), words)
    expect(await outcomeOf(guest)).toBe('pairing-burned')
    expect(paired(host)).toEqual([])
  })

  it('counts a try for whoever leaves after the answer: it tells a guesser whether he was right', async () => {
    const { host } = await twoInstalls()
    await host.devices.openCode()
    for (const left of [2, 1, 0]) {
      // The desk is free again a moment after the try before was counted.
      const { frames, parties, read } = await soon(async () => {
        const raw = await rawGuest(host)
        expect((await raw.read())?.t).toBe('ready')
        return raw
      })
      await frames.send({ t: 'hello', ke1: (await beginHello(randomWords(), parties)).hello })
      expect((await read())?.t).toBe('answer')
      const code = host.devices.desk.state.value.code
      frames.close()
      await soon(() => expect(code?.triesLeft).toBe(left))
    }
    await soon(() => expect(host.devices.desk.state.value.code).toBeUndefined())
    expect(await attempt(host, randomWords())).toBe('pairing-burned')
  })

  it('a code is of use once', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    const words = wordsOf(host)
    await pairWith(host, guest, words)
    expect(await attempt(host, words)).toBe('pairing-used')
  })

  it('a code runs out', async () => {
    const { host, guest } = await twoInstalls({ codeLifetimeMs: 150 })
    await host.devices.openCode()
    const words = wordsOf(host)
    await soon(() => expect(host.devices.desk.state.value.code).toBeUndefined())
    guest.devices.join(addressOf(host), words)
    expect(await outcomeOf(guest)).toBe('pairing-expired')
  })

  it('a code that runs out while its proof is on the way does not count', async () => {
    let now = 1_000_000
    const { host } = await twoInstalls({ now: () => now })
    await host.devices.openCode()
    const { frames, parties, read } = await rawGuest(host)
    await read()
    const { hello, proofFor } = await beginHello(wordsOf(host), parties)
    await frames.send({ t: 'hello', ke1: hello })
    const ke3 = proofFor((await read())?.ke2 ?? '')
    now += 120_000
    await frames.send({ t: 'proof', ke3, name: 'Late' })
    expect(await read()).toEqual({ t: 'refused', code: 'pairing-expired' })
    expect(host.devices.desk.state.value.request).toBeUndefined()
  })

  it('is refused while no code is shown, after the code was closed, and while nothing is shared', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.setSharing(true)
    guest.devices.join(addressOf(host), randomWords())
    expect(await outcomeOf(guest)).toBe('pairing-closed')
    await host.devices.openCode()
    const words = wordsOf(host)
    host.devices.desk.close()
    guest.devices.join(addressOf(host), words)
    expect(await outcomeOf(guest)).toBe('pairing-closed')
    await host.devices.setSharing(false)
    guest.devices.join(addressOf(host), words)
    expect(await outcomeOf(guest)).toBe('device-unreachable')
  })

  it('a second device hears that another one is pairing, and takes no try', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    const words = wordsOf(host)
    guest.devices.join(addressOf(host), words)
    await bothAsked(host, guest)
    // The code is used from the moment it was proven.
    expect(await attempt(host, words)).toBe('pairing-used')
    agree(host, false)
    await outcomeOf(host)

    await host.devices.openCode()
    const first = await rawGuest(host)
    expect((await first.read())?.t).toBe('ready')
    expect(await attempt(host, wordsOf(host))).toBe('pairing-busy')
    expect(host.devices.desk.state.value.code?.triesLeft).toBe(3)
    first.frames.close()
    await soon(async () => expect(await attempt(host, wordsOf(host))).toBe('proved'))
  })

  it('a stranger who tries the shown code changes nothing for a pairing with a host that is under way', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    await guest.devices.openCode()
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    const { request } = guest.devices.desk.state.value
    expect(await attempt(guest, randomWords())).toBe('pairing-busy')
    expect(await attempt(guest, wordsOf(guest))).toBe('pairing-busy')
    expect(guest.devices.desk.state.value).toMatchObject({ request, code: { triesLeft: 3 }, outcome: undefined })
    // Agreed here, and the other person has not answered yet: still under way.
    agree(guest)
    expect(await attempt(guest, randomWords())).toBe('pairing-busy')
    agree(host)
    expect(await outcomeOf(guest)).toBe('paired')
  })

  it('a try that began before the pairing with a host ends without a change to it', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    await guest.devices.openCode()
    const stranger = await rawGuest(guest)
    expect((await stranger.read())?.t).toBe('ready')
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    const { request } = guest.devices.desk.state.value
    await stranger.frames.send({ t: 'nonsense' })
    expect(await stranger.read()).toEqual({ t: 'refused', code: 'device-malformed' })
    expect(guest.devices.desk.state.value).toMatchObject({ request, outcome: undefined })
  })

  it('an answer counts for the request that it names, not for the next one', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    guest.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, guest)
    const first = host.devices.desk.state.value.request?.id ?? expect.fail('nobody asks')
    await guest.devices.stop()
    await outcomeOf(host)
    const next = await newInstall('Phone')
    await host.devices.openCode()
    next.devices.join(addressOf(host), wordsOf(host))
    await bothAsked(host, next)
    expect(() => host.devices.desk.confirm(first, true)).toThrow('No device asks to be paired any more.')
    expect(host.devices.desk.state.value.request).toMatchObject({ state: 'asking', peer: { name: 'Phone' } })
  })

  it('a proof of one connection is worth nothing in another', async () => {
    const { host } = await twoInstalls()
    await host.devices.openCode()
    const first = await rawGuest(host)
    await first.read()
    const { hello, proofFor } = await beginHello(wordsOf(host), first.parties)
    await first.frames.send({ t: 'hello', ke1: hello })
    const ke3 = proofFor((await first.read())?.ke2 ?? '')
    first.frames.close()
    const second = await rawGuest(host)
    await soon(() => expect(host.devices.desk.state.value.code?.triesLeft).toBe(2))
    expect((await second.read())?.t).toBe('ready')
    await second.frames.send({ t: 'hello', ke1: hello })
    await second.read()
    await second.frames.send({ t: 'proof', ke3, name: 'Replay' })
    expect(await second.read()).toEqual({ t: 'refused', code: 'pairing-not-proven' })
  })

  it('somebody in the middle who passes everything on between his own two connections is found by both', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    const seen: unknown[] = []
    const middle = createServer({ ...deviceTls(await newIdentity()), ALPNProtocols: [pairingProtocol] }, (socket) => {
      const toGuest = new FrameSocket(socket, { mostBytes: mostPairingBytes, sendTimeoutMs: 1_000 })
      peerKeyOf(socket, [pairingProtocol])
      void relay(toGuest)
    })
    const relay = async (toGuest: FrameSocket): Promise<void> => {
      const { frames: toHost } = await rawGuest(host)
      const pass = async (from: FrameSocket, to: FrameSocket): Promise<void> => {
        for (;;) {
          const message = await from.read(3_000)
          if (message === undefined) return to.close()
          seen.push(message)
          await to.send(message)
        }
      }
      await Promise.allSettled([pass(toHost, toGuest), pass(toGuest, toHost)])
    }
    await new Promise<void>((resolve) => middle.listen(0, '127.0.0.1', () => resolve()))
    onTestFinished(() => void middle.close())
    const { port } = middle.address() as { port: number }
    guest.devices.join(`127.0.0.1:${port}`, wordsOf(host))
    expect(await outcomeOf(guest)).toBe('pairing-not-proven')
    expect(seen).toHaveLength(3)
    expect(JSON.stringify(seen)).not.toContain('Laptop')
    await soon(() => expect(host.devices.desk.state.value.code?.triesLeft).toBe(2))
    expect(host.devices.desk.state.value.request).toBeUndefined()
    expect([...paired(host), ...paired(guest)]).toEqual([])
  })

  it.each<[string, unknown, DeviceCode]>([
    ['no hello', { t: 'proof', ke3: 'AAAA', name: 'x' }, 'device-malformed'],
    ['another field', { t: 'hello', ke1: 'AAAA', words: 'x' }, 'device-malformed'],
    ['no OPAQUE message', { t: 'hello', ke1: 'AAAA' }, 'pairing-not-proven'],
    ['a list', [1, 2, 3], 'device-malformed'],
    ['a message of the link', { t: 'watch' }, 'device-malformed'],
  ])('refuses a first message that is wrong: %s', async (_, message, code) => {
    const { host } = await twoInstalls()
    await host.devices.openCode()
    const { frames, read } = await rawGuest(host)
    await read()
    await frames.send(message)
    expect(await read()).toEqual({ t: 'refused', code })
  })

  it('refuses a name that could turn text around', async () => {
    const { host } = await twoInstalls()
    await host.devices.openCode()
    const { frames, parties, read } = await rawGuest(host)
    await read()
    const { hello, proofFor } = await beginHello(wordsOf(host), parties)
    await frames.send({ t: 'hello', ke1: hello })
    const ke3 = proofFor((await read())?.ke2 ?? '')
    await frames.send({ t: 'proof', ke3, name: 'CP\u202Egnimag' })
    expect(await read()).toEqual({ t: 'refused', code: 'device-malformed' })
  })

  it('does not wait long for a guest that says nothing, and is free for another one then', async () => {
    const { host, guest } = await twoInstalls({ pairingTimes: { stepMs: 2_000 } })
    await host.devices.openCode()
    const slow = await rawGuest(host)
    await slow.read()
    await soon(() => expect(slow.socket.destroyed).toBe(true))
    await pairWith(host, guest, wordsOf(host))
  })

  it('keeps its devices over a restart, and believes no row that was written from outside', async () => {
    const { host, guest } = await twoInstalls()
    await pairInstalls(host, guest)
    await guest.devices.stop()
    const again = await newInstall('Other name', {}, guest.folder)
    expect(paired(again)).toMatchObject([{ role: 'host', name: 'Gaming PC', key: host.devices.identity.publicKey }])
    expect(again.devices.identity.publicKey).toEqual(guest.devices.identity.publicKey)
    await again.devices.stop()
    const raw = openDatabase(`${guest.folder}/devices.db`, deviceMigrations, { logger: silentLogger })
    raw.exec("INSERT INTO device SELECT 'host-000000000000000000000000', sealed FROM device")
    raw.close()
    const changed = await newInstall('Other name', {}, guest.folder)
    expect(changed.devices.book.devices.value).toHaveLength(1)
    expect(changed.log.join('\n')).toContain('could not be opened')
  })
})

async function pairWith(host: StagedInstall, guest: StagedInstall, words: string): Promise<void> {
  guest.devices.join(addressOf(host), words)
  await bothAsked(host, guest)
  agree(host)
  agree(guest)
  expect(await outcomeOf(guest)).toBe('paired')
}
