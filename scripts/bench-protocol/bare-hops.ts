/**
 * Process: one hop of a chain that only passes bytes on, for the floor under the roles' figures: the same number of processes, sockets, HTTP and
 * TLS legs, and nothing of the protocol in between. Arguments: which hop, its own port, the next one's. Tells its parent when it listens.
 *
 *   client  HTTP server -> TLS       proxy  TLS -> TLS       worker  TLS -> HTTP client (the engine's port)
 */
import { Agent, createServer, request } from 'node:http'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { createIdentity } from '../../main/protocol/attestation/certificate.ts'
import { tlsProfile } from '../../main/protocol/wire/tls-profile.ts'

const [, , hop = '', ownPort = '0', nextPort = '0'] = process.argv
const profile = tlsProfile(await createIdentity())
const ready = (): void => {
  process.send?.('listening')
}
process.on('disconnect', () => process.exit(0))

/** Length and number of a message, before its bytes. */
const headBytes = 8

function send(socket: Socket, number: number, bytes: Uint8Array): void {
  const frame = Buffer.allocUnsafe(headBytes + bytes.length)
  frame.writeUInt32LE(bytes.length)
  frame.writeUInt32LE(number, 4)
  frame.set(bytes, headBytes)
  socket.write(frame)
}

function receive(socket: Socket, onMessage: (number: number, bytes: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (part: Buffer) => {
    held = held.length === 0 ? part : Buffer.concat([held, part])
    while (held.length >= headBytes) {
      const end = headBytes + held.readUInt32LE()
      if (held.length < end) return
      onMessage(held.readUInt32LE(4), held.subarray(headBytes, end))
      held = held.subarray(end)
    }
  })
}

function listenTls(onSocket: (socket: TLSSocket) => void): void {
  const server = createTlsServer({ ...profile, requestCert: true, rejectUnauthorized: false, noDelay: true }, onSocket)
  server.listen(Number(ownPort), '127.0.0.1', ready)
}

function dialTls(): Promise<TLSSocket> {
  const socket = connectTls({ ...profile, host: '127.0.0.1', port: Number(nextPort), rejectUnauthorized: false })
  socket.setNoDelay(true)
  return new Promise((resolve) => socket.once('secureConnect', () => resolve(socket)))
}

async function client(): Promise<void> {
  const next = await dialTls()
  const waiting = new Map<number, (bytes: Buffer) => void>()
  let last = 0
  receive(next, (number, bytes) => {
    waiting.get(number)?.(bytes)
    waiting.delete(number)
  })
  const server = createServer({ noDelay: true }, (asked, response) => {
    const parts: Buffer[] = []
    asked.on('data', (part: Buffer) => parts.push(part))
    asked.on('end', () => {
      const number = ++last
      waiting.set(number, (bytes) => {
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': bytes.length })
        response.end(bytes)
      })
      send(next, number, Buffer.concat(parts))
    })
  })
  server.listen(Number(ownPort), '127.0.0.1', ready)
}

async function proxy(): Promise<void> {
  const next = await dialTls()
  listenTls((socket) => {
    receive(socket, (number, bytes) => send(next, number, bytes))
    receive(next, (number, bytes) => send(socket, number, bytes))
  })
}

function worker(): void {
  const agent = new Agent({ keepAlive: true, scheduling: 'lifo' })
  listenTls((socket) => {
    receive(socket, (number, bytes) => {
      const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length }
      const asked = request(
        { host: '127.0.0.1', port: Number(nextPort), method: 'POST', path: '/v1/chat/completions', agent, headers },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('end', () => send(socket, number, Buffer.concat(parts)))
        },
      )
      asked.end(bytes)
    })
  })
}

if (hop === 'client') await client()
else if (hop === 'proxy') await proxy()
else worker()
