import 'reflect-metadata'
import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import { cryptoProvider, X509CertificateGenerator } from '@peculiar/x509'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deviceTls, linkProtocol, pairingProtocol, peerKeyOf } from './peer-key.ts'
import { linkUp, newIdentity, newInstall, pairInstalls, type StagedInstall, soon } from './testing/stage.ts'

const portOf = ({ devices }: StagedInstall): number => devices.book.own.value.port

async function sharingHost(limits = {}): Promise<StagedInstall> {
  const host = await newInstall('Gaming PC', { limits })
  await host.devices.setSharing(true)
  return host
}

/** A host, and a TLS connection of a guest that it knows, welcomed already. */
async function welcomed(limits = {}) {
  const host = await sharingHost(limits)
  const identity = await newIdentity()
  host.devices.book.pair({ role: 'guest', key: identity.publicKey, name: 'Raw', addresses: [] })
  const socket = await open(host, { ...deviceTls(identity), ALPNProtocols: [linkProtocol] })
  const frames = framesOf(socket)
  await soon(() => expect(frames[0]).toMatchObject({ t: 'welcome' }))
  return { host, identity, socket, frames }
}

/** @param onSession hears of every session that the host gives, from the first byte on */
function open(host: StagedInstall, options: ConnectionOptions, onSession = (_: Buffer): void => undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: portOf(host), rejectUnauthorized: false, ...options })
    socket.on('session', onSession)
    onTestFinished(() => void socket.destroy())
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Everything that comes, as values. */
function framesOf(socket: TLSSocket): unknown[] {
  const frames: unknown[] = []
  let held = Buffer.alloc(0)
  socket.on('data', (bytes) => {
    held = Buffer.concat([held, bytes])
    while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
      const length = held.readUInt32BE(0)
      frames.push(JSON.parse(held.subarray(4, 4 + length).toString()))
      held = held.subarray(4 + length)
    }
  })
  return frames
}

const closedOf = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())))

function frame(text: string | Uint8Array, length?: number): Buffer {
  const body = Buffer.from(text)
  const header = Buffer.alloc(4)
  header.writeUInt32BE(length ?? body.length)
  return Buffer.concat([header, body])
}

async function certificateOf(pair: { privateKey: KeyObject; publicKey: KeyObject }, algorithm: EcdsaParams & EcKeyGenParams) {
  cryptoProvider.set(webcrypto)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=x',
    serialNumber: '01',
    signingAlgorithm: algorithm,
    keys: {
      privateKey: pair.privateKey.toCryptoKey(algorithm, false, ['sign']),
      publicKey: pair.publicKey.toCryptoKey(algorithm, true, ['verify']),
    },
  })
  return { cert: certificate.toString('pem'), key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
interface EcdsaParams {
  name: string
  hash: string
}
interface EcKeyGenParams {
  namedCurve: string
}

describe('a host in front of hostile connections', () => {
  it.each([linkProtocol, pairingProtocol])('refuses one without a certificate: %s', async (protocol) => {
    const host = await sharingHost()
    const socket = await open(host, { ALPNProtocols: [protocol] })
    const frames = framesOf(socket)
    await closedOf(socket)
    expect(frames).toEqual([{ t: 'refused', code: 'device-no-certificate' }])
  })

  it('refuses one that names no protocol, and one that names another', async () => {
    const host = await sharingHost()
    const identity = await newIdentity()
    host.devices.book.pair({ role: 'guest', key: identity.publicKey, name: 'Raw', addresses: [] })
    const socket = await open(host, deviceTls(identity))
    const frames = framesOf(socket)
    await closedOf(socket)
    expect(frames).toEqual([{ t: 'refused', code: 'device-wrong-protocol' }])
    await expect(open(host, { ...deviceTls(identity), ALPNProtocols: ['h2'] })).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
    })
  })

  it('refuses an older TLS, and a key that is no Ed25519', async () => {
    const host = await sharingHost()
    const identity = await newIdentity()
    await expect(
      open(host, { ...deviceTls(identity), ALPNProtocols: [linkProtocol], minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    ).rejects.toThrow()
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const ec = await certificateOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }), algorithm)
    const refused = await open(host, { ...ec, ALPNProtocols: [linkProtocol] }).then(
      async (socket) => {
        const frames = framesOf(socket)
        await closedOf(socket)
        return frames
      },
      () => [],
    )
    // Such a key is not asked for, so its holder shows none.
    expect(refused).toEqual([{ t: 'refused', code: 'device-no-certificate' }])
    expect(host.devices.connected.value.size).toBe(0)
  })

  it('gives no session that could be resumed, and a resumed one shows no key to either side', async () => {
    const host = await sharingHost()
    const identity = await newIdentity()
    host.devices.book.pair({ role: 'guest', key: identity.publicKey, name: 'Raw', addresses: [] })
    const sessions: Buffer[] = []
    const options = { ...deviceTls(identity), ALPNProtocols: [linkProtocol] }
    const socket = await open(host, options, (session) => sessions.push(session))
    const frames = framesOf(socket)
    // A server gives its sessions before its first data. Each is the name of one that it does not keep.
    await soon(() => expect(frames[0]).toMatchObject({ t: 'welcome' }))
    expect(sessions).not.toEqual([])
    for (const session of sessions) {
      const again = await open(host, { ...options, session })
      const answered = framesOf(again)
      expect(again.isSessionReused()).toBe(false)
      await soon(() => expect(answered[0]).toMatchObject({ t: 'welcome' }))
      again.destroy()
    }

    // A server that does resume, to see what our check makes of it on both sides.
    const seen: string[] = []
    const check = (side: TLSSocket): void => {
      try {
        peerKeyOf(side, [linkProtocol])
        seen.push('accepted')
      } catch (thrown) {
        seen.push((thrown as { code: string }).code)
      }
    }
    const server = createServer({ ...deviceTls(identity), secureOptions: 0, ALPNProtocols: [linkProtocol] }, (side) => {
      check(side)
      side.on('error', () => undefined)
      side.end('x')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const dial = async (session?: Buffer): Promise<Buffer | undefined> => {
      let got: Buffer | undefined
      const side = connect({
        ...deviceTls(identity),
        secureOptions: 0,
        host: '127.0.0.1',
        port,
        ALPNProtocols: [linkProtocol],
        ...(session && { session }),
      })
      side.on('session', (value) => {
        got = value
      })
      side.on('secureConnect', () => check(side))
      side.resume()
      await closedOf(side)
      return got
    }
    const session = await dial()
    expect(seen).toEqual(['accepted', 'accepted'])
    expect(session).toBeDefined()
    await dial(session)
    expect(seen.slice(2)).toEqual(['device-session-resumed', 'device-session-resumed'])
  })

  it.each<[string, Buffer]>([
    ['an empty frame', frame('')],
    ['a frame above the limit', frame('', 2 * 1024 * 1024 + 1)],
    ['no JSON', frame('{"t":"watch"')],
    ['no UTF-8', frame(Uint8Array.of(0x22, 0xff, 0x22))],
    ['an unknown message', frame('{"t":"run"}')],
    ['a field too many', frame('{"t":"watch","as":"owner"}')],
    ['a message of the host', frame('{"t":"alive","x":1}')],
    ['a question without messages', frame('{"t":"ask","messages":[],"options":{}}')],
    ['a role that is none', frame('{"t":"ask","messages":[{"role":"owner","content":"x"}],"options":{}}')],
    ['an option that is none', frame('{"t":"ask","messages":[{"role":"user","content":"x"}],"options":{"lane":"own"}}')],
  ])('ends a connection that sends %s', async (_, bytes) => {
    const { host, socket, frames } = await welcomed()
    socket.write(bytes)
    await closedOf(socket)
    expect(frames.slice(1)).toEqual(frames.length > 1 ? [{ t: 'refused', code: 'device-malformed' }] : [])
    expect(host.engine.asked).toEqual([])
    expect(host.log.join('\n')).toContain('code=device-malformed')
  })

  it('ends one that is cut off in a frame, and one that sends its frame drop by drop', async () => {
    const cut = await welcomed()
    cut.socket.end(frame('{"t":"wat', 40))
    await closedOf(cut.socket)
    await soon(() => expect(cut.host.log.join('\n')).toContain('code=device-malformed'))

    const slow = await welcomed({ handshakeMs: 1_500 })
    const drops = setInterval(() => slow.socket.write(' '), 50)
    slow.socket.write(frame('', 1_000))
    await closedOf(slow.socket)
    clearInterval(drops)
    await soon(() => expect(slow.host.log.join('\n')).toContain('code=device-silent'))
    expect([...cut.host.engine.asked, ...slow.host.engine.asked]).toEqual([])
  })

  it('gives up one that never finishes its handshake, or says no TLS at all', async () => {
    const host = await sharingHost({ handshakeMs: 300 })
    for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n']) {
      const socket = connectTcp(portOf(host), '127.0.0.1', () => socket.write(bytes))
      await new Promise<void>((resolve) => {
        socket.on('error', () => undefined)
        socket.once('close', () => resolve())
        socket.resume()
      })
    }
  })

  it('stops an answer for a guest that does not read', async () => {
    const { host, socket } = await welcomed({ handshakeMs: 1_500 })
    host.engine.words = Array.from({ length: 4_000 }, () => 'x'.repeat(4_096))
    socket.pause()
    socket.write(frame('{"t":"ask","messages":[{"role":"user","content":"x"}],"options":{}}'))
    await soon(() => expect(host.engine.asked).toHaveLength(1))
    await soon(() => expect(host.engine.running).toBe(0))
    expect(host.devices.connected.value.size).toBe(0)
  })

  it('takes only so many connections of one guest, and of all', async () => {
    const { host, identity } = await welcomed({ mostConnectionsPerGuest: 3, mostConnections: 5 })
    const more = await Promise.all([1, 2, 3].map(() => open(host, { ...deviceTls(identity), ALPNProtocols: [linkProtocol] })))
    const last = more.map(framesOf)
    await soon(() => expect(last.flat()).toHaveLength(3))
    expect(last.flat().filter((one) => (one as { t: string }).t === 'refused')).toEqual([{ t: 'refused', code: 'device-busy' }])
    const flood = Array.from({ length: 8 }, () => connectTcp(portOf(host), '127.0.0.1'))
    for (const socket of flood) socket.on('error', () => undefined)
    await soon(() => expect(flood.filter((socket) => socket.destroyed || socket.readableEnded).length).toBeGreaterThan(2))
    for (const socket of flood) socket.destroy()
  })

  it('stops without waiting for whoever is connected or on the way', async () => {
    const { host, socket } = await welcomed({ handshakeMs: 3_600_000 })
    const half = connectTcp(portOf(host), '127.0.0.1')
    half.on('error', () => undefined)
    await new Promise<void>((resolve) => half.once('connect', () => resolve()))
    await host.devices.stop()
    await closedOf(socket)
  })

  it('a guest stops without waiting for its host', async () => {
    const host = await newInstall('Gaming PC')
    const guest = await newInstall('Laptop')
    await pairInstalls(host, guest)
    await linkUp(guest)
    await guest.devices.stop()
    await soon(() => expect(host.devices.connected.value.size).toBe(0))
  })
})
