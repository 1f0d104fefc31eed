import { createHash } from 'node:crypto'
import { decode, nameOf, sharingDecoder } from '../protocol/tl/codec.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection, PacketHandlers } from '../protocol/wire/connection.ts'
import { mostPayloadBytes } from '../protocol/wire/frames.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import type { Account } from './account.ts'
import { parseOwner } from './addresses.ts'
import {
  acceptClient,
  type ClientProfile,
  type ClientQuery,
  type ClientStage,
  nextClientStage,
  secretMatches,
} from './client-handshake.ts'
import { ClientOutbox } from './client-outbox.ts'
import { answerQuery, lostPromise } from './line.ts'
import { workerTypes, workerTypesV2 } from './listings.ts'
import { agreeOnSealing, contractOf, type Office, proxyParams, standing, textOf } from './office.ts'
import { pseudoClientState } from './pseudo.ts'
import { Refusal } from './refusal.ts'
import { workerKeys } from './sealed-desk.ts'
import type { ClientSeat } from './seats.ts'
import { errorsAreExtended } from './versions.ts'

/** Bytes of one answer that may wait for a slow client. */
const mostWaitingBytes = 2 * 1024 * 1024
const decodeQuery = sharingDecoder('client.runQuery', 'client.runQueryEx', 'client.runSealedQuery')
const noSecret = new Uint8Array(32)
const emptySecretHash = new Uint8Array(createHash('sha256').digest())

/** One inbound connection on the clients' port (50 §2.2, §2.3). */
export class ClientLine {
  readonly handlers: PacketHandlers
  readonly #office: Office
  readonly #connection: PacketConnection
  readonly #outbox: ClientOutbox
  #stage: ClientStage = 'connect'
  #authorizing = false
  #profile: ClientProfile | undefined
  #nonce: bigint | undefined
  #seat: ClientSeat | undefined

  constructor(office: Office, connection: PacketConnection) {
    this.#office = office
    this.#connection = connection
    this.#outbox = new ClientOutbox(connection, mostWaitingBytes, (key) => this.#overflow(key))
    this.handlers = {
      onQuery: (data) => answerQuery(connection, this.#stage !== 'ready', () => this.#answer(data)),
      onPacket: (data) => this.#packet(data),
    }
  }

  get seat(): ClientSeat | undefined {
    return this.#seat
  }

  /** The connection is over. */
  ended(): void {
    this.#outbox.close()
    if (this.#nonce !== undefined) this.#office.nonces.forget(this.#nonce)
    if (this.#seat !== undefined) this.#office.exchange.removeClient(this.#seat)
  }

  /** Tells the client about a payment that has become final. */
  announce(payment: TlObject<'proxy.signedPayment' | 'proxy.signedPaymentEmpty'>): void {
    this.#outbox.post('', payment)
  }

  #overflow(key: string): void {
    if (this.#seat !== undefined) this.#office.exchange.overflow(this.#seat, key)
  }

  #answer(data: Uint8Array): TlObject | Promise<TlObject> {
    const name = nameOf(data)
    switch (name) {
      case 'client.connectToProxy':
        this.#next(name)
        return this.#connect(decode(data, name))
      case 'client.authorizeWithProxyShort':
        this.#next(name)
        return this.#short(decode(data, name).data)
      case 'client.authorizeWithProxyLong':
        this.#next(name)
        decode(data, name)
        return this.#long()
      case 'client.updatePaymentStatus': {
        if (this.#seat === undefined)
          throw new Refusal(peerErrorCodes.protocolViolation, 'client request from non-ready connection')
        const { signed_payment, db, max } = standing(this.#office, this.#seat.account)
        return { '@type': 'client.paymentStatus', signed_payment, db_tokens: db, max_tokens: max }
      }
      case 'client.getWorkerTypes':
        this.#requireReady()
        return workerTypes(this.#office.exchange)
      case 'client.getWorkerTypesV2':
        this.#requireReady()
        return workerTypesV2(this.#office.exchange)
      case 'client.getWorkerKeys':
        if (!this.#requireReady().seals) throw lostPromise()
        return workerKeys(this.#office.exchange.workersOf(decode(data, name).model_name), this.#office.now())
      case 'worker.connectToProxy':
        throw new Refusal(peerErrorCodes.protocolViolation, 'worker connect() from non worker')
      case undefined:
        throw lostPromise()
      default:
        if (name.startsWith('worker.')) throw new Refusal(peerErrorCodes.protocolViolation, 'expected worker connection')
        throw lostPromise()
    }
  }

  #requireReady(): ClientSeat {
    if (this.#seat === undefined) throw new Refusal(peerErrorCodes.protocolViolation, 'expected client connection')
    return this.#seat
  }

  #next(query: ClientQuery): void {
    if (this.#authorizing) throw new Refusal(peerErrorCodes.none, 'expected auth message', true)
    nextClientStage(this.#stage, query)
  }

  #connect(query: TlObject<'client.connectToProxy'>): TlObject {
    const office = this.#office
    const profile = acceptClient(query.params, query.min_config_version, {
      isTest: office.identity.params.isTest,
      rootVersion: office.root().version,
      parseAddress: parseOwner,
      versions: office.versions,
    })
    const known = this.#known(profile)
    if (known?.client !== undefined && known.client.state !== 'normal') {
      throw new Refusal(peerErrorCodes.error, 'client is closing', true)
    }
    this.#profile = profile
    this.#stage = 'auth'
    return {
      '@type': 'client.connectedToProxy',
      params: proxyParams(office, profile),
      client_sc_address: textOf(office, contractOf(office, 'client', profile.owner)),
      auth: this.#offer(profile, known),
      signed_payment: office.desk.current(known),
    }
  }

  /** Without a chain every owner has an account, which is kept from the authorization on: before it anybody may claim any owner. */
  #known({ owner }: ClientProfile, keep = false): Account | undefined {
    const { ledger, pseudo, identity } = this.#office
    if (!pseudo) return ledger.find('client', owner)
    const contract = contractOf(this.#office, 'client', owner)
    const account = keep ? ledger.open('client', owner, contract) : ledger.peek('client', owner, contract)
    account.client ??= pseudoClientState(identity.params)
    return account
  }

  #offer(profile: ClientProfile, known: Account | undefined): TlObject<'client.connectedToProxy'>['auth'] {
    if (this.#office.pseudo) return { '@type': 'client.proxyConnectionAuthShort', secret_hash: emptySecretHash, nonce: 0n }
    const nonce = this.#office.nonces.issue(profile.owner)
    this.#nonce = nonce
    const hash = known?.client?.secretHash
    // TL's long is signed; the chain carries the same 64 bits unsigned.
    const wireNonce = BigInt.asIntN(64, nonce)
    return hash === undefined || Buffer.from(hash).equals(noSecret)
      ? { '@type': 'client.proxyConnectionAuthLong', nonce: wireNonce }
      : { '@type': 'client.proxyConnectionAuthShort', secret_hash: hash, nonce: wireNonce }
  }

  #short(secret: Uint8Array): TlObject {
    const hash = this.#profile && this.#known(this.#profile)?.client?.secretHash
    if (hash === undefined || Buffer.from(hash).equals(noSecret) || !secretMatches(secret, hash)) {
      throw new Refusal(peerErrorCodes.none, 'sha256 mismatch', true)
    }
    return this.#authorized()
  }

  async #long(): Promise<TlObject> {
    if (this.#office.pseudo) return this.#authorized()
    const nonce = this.#nonce
    if (nonce === undefined) throw new Refusal(peerErrorCodes.none, 'Wrong constructor found at 4', true)
    this.#authorizing = true
    await this.#office.nonces.wait(nonce)
    this.#authorizing = false
    return this.#authorized()
  }

  #authorized(): TlObject {
    const profile = this.#profile
    const account = profile && this.#known(profile, true)
    if (profile === undefined || account?.client === undefined) throw new Refusal(peerErrorCodes.none, 'unknown client', true)
    if (account.client.state !== 'normal') throw new Refusal(peerErrorCodes.error, 'client is closing', true)
    const { signed_payment, db, max } = standing(this.#office, account)
    this.#stage = 'ready'
    this.#connection.mostFrameBytes = mostPayloadBytes
    this.#seat = {
      account,
      owner: profile.owner,
      version: profile.version,
      seals: agreeOnSealing(this.#office, profile),
      extendedErrors: errorsAreExtended(profile.version, this.#office.versions),
      post: (key, message) => this.#outbox.post(key, message),
      running: new Map(),
    }
    this.#office.exchange.changed()
    return { '@type': 'client.authorizationWithProxySuccess', signed_payment, tokens_committed_to_db: db, max_tokens: max }
  }

  #packet(data: Uint8Array): void {
    const seat = this.#seat
    if (seat === undefined) return
    const name = nameOf(data)
    if (name === 'client.runSealedQuery' && !seat.seals) {
      this.#connection.close('sealed queries were not agreed on')
    } else if (name === 'client.runQuery' || name === 'client.runQueryEx' || name === 'client.runSealedQuery') {
      const query = decodeQuery(data)
      // The ids outlive the message, the rest is passed on and forgotten.
      const request_id = query.request_id.slice()
      this.#office.exchange.submit(
        seat,
        query['@type'] === 'client.runSealedQuery'
          ? { ...query, request_id, worker_key: query.worker_key.slice() }
          : { ...query, request_id },
      )
    } else if (name === 'client.cancelQuery') {
      this.#office.exchange.cancel(seat, decode(data, name).request_id)
    }
  }
}
