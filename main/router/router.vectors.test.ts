import { DEFAULT_CIPHERS, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Identity } from '../protocol/attestation/certificate.ts'
import { intelRoots } from '../protocol/attestation/intel-chain.ts'
import type { Policy } from '../protocol/attestation/policy.ts'
import { QuoteVerifier } from '../protocol/attestation/quote-verifier.ts'
import { readVectors } from '../protocol/testing/vector-cases.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { peerInfoHeaderBytes, readPeerInfo, readPeerInfoLength, writePeerInfo } from '../protocol/wire/peer-info.ts'
import { createChallenge, solve, verify } from '../protocol/wire/proof-of-work.ts'
import { socksAddressBytes, writeSocksAddress } from '../protocol/wire/socks5.ts'
import { policiesOf } from './policies.ts'
import { Recorder, sleep, testServer } from './testing/sockets.ts'
import { forwardPort, portOf, socksPort, startRouter } from './testing/start-router.ts'

interface Certificate {
  readonly cert_pem: string
  readonly private_key_pem: string
  readonly public_key_hex?: string
}
const { certificates } = readVectors<{ certificates: Record<string, Certificate> }>('ratls/certificates')
/** When the runs were captured: the certificates lived for a day. */
const captureMs = Date.parse('2026-11-22T02:00:00Z')
const now = (): number => captureMs

function identityOf(name: string): Identity {
  const certificate = certificates[name]
  if (!certificate) throw new Error(`no certificate ${name}`)
  return {
    certificatePem: certificate.cert_pem,
    privateKeyPem: certificate.private_key_pem,
    publicKey: new Uint8Array(Buffer.from(certificate.public_key_hex ?? '', 'hex')),
    notAfter: new Date(captureMs + 1_000),
  }
}

/** What a side received, with the ports, which are chance, set to zero. */
function withoutPorts(received: Buffer): string {
  if (received.length < peerInfoHeaderBytes) return received.toString('hex')
  const end = peerInfoHeaderBytes + readPeerInfoLength(received)
  const info = readPeerInfo(received.subarray(peerInfoHeaderBytes, end))
  const plain = { ...info, source: { ...info.source, port: 0 }, destination: { ...info.destination, port: 0 } }
  return Buffer.concat([writePeerInfo(plain), received.subarray(end)]).toString('hex')
}
const hexWithoutPorts = (hex: string): string => withoutPorts(Buffer.from(hex, 'hex'))

describe('two routers decide, and tell their runners, as two reference routers did', () => {
  const file = 'ratls/verification'
  interface Run {
    readonly case: string
    readonly server_cert: string
    readonly server_policy: string
    readonly client_cert: string
    readonly client_policy: string
    readonly pow_difficulty: number
    readonly accepted: boolean
    readonly client_side_received_hex?: string
    readonly backend_received_hex?: readonly string[]
  }
  const { cases } = readVectors<{ cases: readonly Run[] }>(file)
  const fakeImageHash = Buffer.from(
    readVectors<{ tdx_all_zero: { image_hash_hex: string } }>('ratls/attestation').tdx_all_zero.image_hash_hex,
    'hex',
  )
  /** The runs call three different policies `strict`. */
  const strict: Record<string, Policy> = {
    'image hash allowlisted (all-zero fake hash)': { kind: 'fake_tdx', imageHashes: [fakeImageHash] },
    'image hash not in allowlist': { kind: 'fake_tdx', imageHashes: [new Uint8Array(32)] },
    'policy any with an image hash': { kind: 'any', imageHashes: [fakeImageHash] },
  }
  /** What a runner is told about a peer without attestation. */
  const toldOf = (name: string): string =>
    hexWithoutPorts(cases[0]?.client_side_received_hex?.slice(0, 248) ?? '').replace(
      certificates.none?.public_key_hex ?? '',
      certificates[name]?.public_key_hex ?? '',
    )
  const known = cases.map((run, i) => ({ ...run, i }))
  /** No run holds a real quote, so nobody may ask for collateral. */
  const quotes = new QuoteVerifier({
    collateral: { with: () => Promise.reject(new Error('collateral was asked for')) },
    roots: intelRoots,
  })

  it.each(known)('$i $case: server $server_cert/$server_policy, client $client_cert/$client_policy', async (run) => {
    const backend = await testServer((recorder) => {
      recorder.socket.on('data', () => recorder.bytes.includes('PING') && recorder.socket.write('PONG'))
    })
    onTestFinished(() => backend.close())
    const policies = new Map([...policiesOf(undefined, quotes), ['strict', strict[run.case] ?? { kind: 'any' as const }]])
    // Nobody may be asked for more than 24 bits by our router: a bare server asks in its place.
    const asked = createChallenge(run.pow_difficulty)
    const bareServer = run.pow_difficulty > 24 ? await testServer(({ socket }) => socket.write(asked)) : undefined
    if (bareServer) onTestFinished(() => bareServer.close())
    const inner = await startRouter([forwardPort(backend.port, run.server_policy)], {
      policies,
      difficulty: bareServer ? 0 : run.pow_difficulty,
      makeIdentity: async () => identityOf(run.server_cert),
      now,
    })
    onTestFinished(() => inner.stop())
    const outer = await startRouter([socksPort(run.client_policy)], {
      policies,
      makeIdentity: async () => identityOf(run.client_cert),
      now,
    })
    onTestFinished(() => outer.stop())

    const runner = await Recorder.to(portOf(outer))
    onTestFinished(() => void runner.socket.destroy())
    runner.socket.write(Uint8Array.of(5, 1, 0))
    expect((await runner.atLeast(2)).toString('hex')).toBe('0500')
    runner.socket.write(writeSocksAddress(1, { ip: '127.0.0.1', port: bareServer?.port ?? portOf(inner, 'forward') }))
    const reply = (await runner.atLeast(2 + socksAddressBytes)).subarray(2)
    const connected = reply[1] === 0
    const expected = hexWithoutPorts(run.client_side_received_hex ?? '')
    const told = expected.length === 0 ? 124 : expected.length / 2
    if (connected) await runner.atLeast(2 + socksAddressBytes + (run.accepted ? told - 4 : told), 1_000)
    if (connected && !runner.socket.destroyed) runner.socket.write('PING')
    if (run.accepted) await runner.atLeast(2 + socksAddressBytes + told)
    else if (connected) await Promise.race([runner.closed, sleep(3_000)])
    const received = withoutPorts(runner.bytes.subarray(2 + socksAddressBytes))

    if (run.accepted) {
      expect(received).toBe(expected)
      const [toBackend = ''] = run.backend_received_hex ?? []
      const ours = withoutPorts(backend.seen[0]?.bytes ?? Buffer.alloc(0))
      // One capture ends before the first word of the runner.
      expect(ours.startsWith(hexWithoutPorts(toBackend))).toBe(true)
      expect(ours.endsWith(Buffer.from('PING').toString('hex'))).toBe(true)
    } else {
      expect(backend.seen).toHaveLength(0)
      // In TLS 1.3 the connecting side may believe that all is well until the other side says no: it may have told its runner so.
      expect(['', expected, connected ? toldOf(run.server_cert) : '']).toContain(received)
      expect(connected && !runner.socket.destroyed).toBe(false)
    }
    ran(file, `case ${run.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})

describe('a router treats hostile peers as the reference router did', () => {
  const file = 'ratls/pow_and_tls_against_router'
  interface Run {
    readonly case: string
    readonly challenge_hex: string
    readonly response_hex: string
    readonly accepted: boolean
    readonly backend_received_hex?: string
    readonly cipher?: readonly unknown[]
  }
  const { cases } = readVectors<{ cases: readonly Run[] }>(file)
  const none = identityOf('none')
  const usual = { cert: none.certificatePem, key: none.privateKeyPem, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const

  /** What the recorded peer did with its challenge, done with ours. */
  async function responseLike(run: Run, challenge: Uint8Array): Promise<Uint8Array> {
    const recorded = Buffer.from(run.response_hex, 'hex')
    const good = await solve(challenge)
    if (recorded.length < good.length) return good.subarray(0, recorded.length)
    if (verify(Buffer.from(run.challenge_hex, 'hex'), recorded)) return good
    if (recorded.readUInt32LE() !== 0x01827319) return Buffer.concat([Buffer.from('19738202', 'hex'), good.subarray(4)])
    const wrong = Buffer.from(recorded)
    while (verify(challenge, wrong)) wrong.writeUInt8(wrong.readUInt8(4) + 1, 4)
    return wrong
  }

  it.each(cases.map((run, i) => ({ ...run, i })))('$i $case', async (run) => {
    const backend = await testServer()
    onTestFinished(() => backend.close())
    const difficulty = Buffer.from(run.challenge_hex, 'hex').readInt32LE(4)
    const router = await startRouter([forwardPort(backend.port)], {
      difficulty,
      makeIdentity: async () => none,
      now,
      // Only the one who falls silent is waited for.
      limits: { handshakeLimitMs: run.case.includes('silence') ? 1_000 : 20_000 },
    })
    onTestFinished(() => router.stop())
    const peer = await Recorder.to(portOf(router, 'forward'))
    onTestFinished(() => void peer.socket.destroy())
    const challenge = new Uint8Array(await peer.atLeast(24))
    expect(Buffer.from(challenge.subarray(0, 8)).toString('hex')).toBe(run.challenge_hex.slice(0, 16))
    // TLS reads the socket from here on.
    peer.socket.removeAllListeners('data')
    peer.socket.write(await responseLike(run, challenge))

    if (run.cipher || run.case.startsWith('TLS 1.2')) {
      const old = { ...usual, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: DEFAULT_CIPHERS } as const
      const options = run.case.startsWith('TLS 1.2')
        ? old
        : run.case.startsWith('no client')
          ? { minVersion: 'TLSv1.3' as const }
          : usual
      const secure = tlsConnect({ socket: peer.socket, rejectUnauthorized: false, ...options })
      const secured = await connectedOver(secure)
      expect(secured).toBe(run.cipher !== undefined)
      if (secured) {
        expect(secure.getProtocol()).toBe('TLSv1.3')
        expect(['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256']).toContain(secure.getCipher().name)
        expect(secure.alpnProtocol || null).toBeNull()
        secure.write('hello')
      }
    }
    if (run.accepted) {
      await expect.poll(() => backend.seen.length).toBe(1)
      const expected = hexWithoutPorts(run.backend_received_hex ?? '')
      expect(withoutPorts((await backend.seen[0]?.atLeast(expected.length / 2)) ?? Buffer.alloc(0))).toBe(expected)
    } else {
      await peer.closed
      expect(backend.seen).toHaveLength(0)
    }
    await expect.poll(() => router.ports[0]).toMatchObject({ connections: run.accepted ? 1 : 0, handshakes: 0 })
    ran(file, `case ${run.i}`)
  })

  it('ran whole', () => expect(notRun(file)).toEqual([]))
})

function connectedOver(secure: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    secure.on('error', () => resolve(false))
    secure.on('close', () => resolve(false))
    secure.once('secureConnect', () => resolve(true))
  })
}
