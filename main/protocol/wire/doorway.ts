import { createServer, type Socket } from 'node:net'
import { asError } from '../../base/failure.ts'
import { type Logger, silentLogger } from '../../base/logger.ts'
import { AttestationError } from '../attestation/attestation-error.ts'
import { WireError } from './wire-error.ts'

export interface DoorwayPlace {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  /** How long one peer may take for its handshake; 20 s. */
  readonly handshakeLimitMs?: number
  /** Peers in the middle of a handshake; beyond it the one that has shown nothing for longest is dropped; 128. */
  readonly mostHandshakes?: number
  /** Connections, handshakes included; beyond it new ones are refused; 1024. */
  readonly mostConnections?: number
  readonly logger?: Logger
}

/** Something that a peer became after its handshake. */
export interface Guest {
  /** Resolves when it has gone. */
  readonly gone: Promise<unknown>
  leave(): void
}

export interface Doorway {
  readonly port: number
  /** Guests that are through their handshake. */
  readonly guestCount: number
  readonly handshakeCount: number
  /** Takes nobody any more and sends all guests away; resolves when all sockets are closed. */
  close(): Promise<void>
}

/** A peer that has not finished its handshake. */
interface Visitor {
  readonly socket: Socket
  hasShownGoodWill: boolean
}

export interface DoorwaySteps<T> {
  /**
   * The handshake on a new socket; a rejection ends the socket. `showGoodWill` protects the visitor from being dropped for a newer one: call
   * it when the peer has done what costs it something.
   */
  readonly admit: (socket: Socket, showGoodWill: () => void) => Promise<T>
  /** Takes an admitted peer over. A throw sends it away. */
  readonly receive: (admitted: T) => Guest
  /** Sends an admitted peer away that cannot be received. */
  readonly turnAway: (admitted: T) => void
}

/**
 * A TCP port whose peers must pass a handshake in limited time and in limited number before they become guests.
 * @throws WireError `listen-failed`
 */
export async function openDoorway<T>(place: DoorwayPlace, steps: DoorwaySteps<T>): Promise<Doorway> {
  const { handshakeLimitMs = 20_000, mostHandshakes = 128, mostConnections = 1024, logger = silentLogger } = place
  const visitors = new Set<Visitor>()
  const guests = new Set<Guest>()
  let closing = false

  const receive = (admitted: T): void => {
    if (closing) return steps.turnAway(admitted)
    try {
      const guest = steps.receive(admitted)
      guests.add(guest)
      guest.gone.then(() => guests.delete(guest))
    } catch (error) {
      logger.error('a new connection could not be handled', { error: asError(error).message })
      steps.turnAway(admitted)
    }
  }

  const begin = (socket: Socket): void => {
    // Errors show up as `close`; this listener keeps them from being thrown.
    socket.on('error', (error) => logger.debug('a peer was lost during the handshake', { error: error.message }))
    const crowded = guests.size + visitors.size >= mostConnections
    if (closing || crowded || (visitors.size >= mostHandshakes && !dropOldest(visitors))) {
      socket.destroy()
      return
    }
    const visitor: Visitor = { socket, hasShownGoodWill: false }
    visitors.add(visitor)
    const timer = setTimeout(() => socket.destroy(), handshakeLimitMs)
    const forget = (): void => {
      clearTimeout(timer)
      visitors.delete(visitor)
    }
    socket.on('close', forget)
    const showGoodWill = (): void => {
      visitor.hasShownGoodWill = true
    }
    steps.admit(socket, showGoodWill).then(
      (admitted) => {
        const stillHere = visitors.has(visitor)
        forget()
        if (stillHere) receive(admitted)
        else steps.turnAway(admitted)
      },
      (error: unknown) => {
        if (error instanceof AttestationError) logger.info('a peer was refused', { reason: error.code })
        else logger.debug('a peer failed its handshake', { error: asError(error).message })
        socket.destroy()
      },
    )
  }

  const server = createServer({ noDelay: true, allowHalfOpen: false }, begin)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new WireError('listen-failed', `Port ${place.port} on ${place.host} cannot be opened`, {
          cause,
          advice: 'Choose another port.',
        }),
      ),
    )
    server.listen(place.port, place.host, resolve)
  })
  server.on('error', (error) => logger.warn('the port had an error', { error: error.message }))
  const bound = server.address()

  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : place.port,
    get guestCount() {
      return guests.size
    },
    get handshakeCount() {
      return visitors.size
    },
    close: () => {
      closing = true
      for (const { socket } of visitors) socket.destroy()
      for (const guest of guests) guest.leave()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

/** Makes room by dropping the visitor that has shown nothing for longest. False when all have shown good will. */
function dropOldest(visitors: Set<Visitor>): boolean {
  for (const visitor of visitors) {
    if (visitor.hasShownGoodWill) continue
    visitors.delete(visitor)
    visitor.socket.destroy()
    return true
  }
  return false
}
