import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { type Logger, silentLogger } from '../../base/logger.ts'
import type { Identity } from '../attestation/certificate.ts'
import { tlsProfile } from './tls-profile.ts'
import { WireError } from './wire-error.ts'

/** The accepting side of TLS (10 §7) for sockets that somebody else has accepted. */
export class TlsAcceptor {
  readonly #server: Server
  /** TLS gives a new socket object, so its end points tell which one it is. */
  readonly #waiting = new Map<string, (secure: TLSSocket) => void>()

  constructor(identity: Identity, logger: Logger = silentLogger) {
    this.#server = createServer({ ...tlsProfile(identity), requestCert: true, rejectUnauthorized: false })
    this.#server.on('secureConnection', (secure) => {
      const done = this.#waiting.get(endpoints(secure))
      if (done) done(secure)
      else secure.destroy()
    })
    this.#server.on('tlsClientError', (error, secure) => {
      logger.debug('a peer failed TLS', { error: error.message })
      secure.destroy()
    })
  }

  /** Shows another certificate from now on. */
  renew(identity: Identity): void {
    this.#server.setSecureContext(tlsProfile(identity))
  }

  /**
   * Runs TLS on a socket; what was received behind earlier bytes is part of it.
   * @throws WireError `tls-failed`
   */
  secure(socket: Socket): Promise<TLSSocket> {
    const key = endpoints(socket)
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        this.#waiting.delete(key)
        socket.off('close', failed)
      }
      const failed = (): void => {
        forget()
        reject(new WireError('tls-failed', 'TLS with the peer failed', { retryable: true }))
      }
      this.#waiting.set(key, (secure) => {
        forget()
        secure.on('error', () => undefined)
        resolve(secure)
      })
      socket.on('close', failed)
      if (socket.destroyed) return failed()
      this.#server.emit('connection', socket)
    })
  }
}

function endpoints({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
