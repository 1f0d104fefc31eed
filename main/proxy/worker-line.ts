import { createHash } from 'node:crypto'
import { hexOf } from '../base/hex.ts'
import { KeyRefused } from '../protocol/sealed/direct/seal-errors.ts'
import { decode, nameOf, sharingDecoder } from '../protocol/tl/codec.ts'
import { cancelExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection, PacketHandlers } from '../protocol/wire/connection.ts'
import { mostPayloadBytes } from '../protocol/wire/frames.ts'
import { encodePacket } from '../protocol/wire/tcp-packets.ts'
import { peerErrorCodes } from '../protocol/wire/wire-error.ts'
import { parseOwner } from './addresses.ts'
import { answerQuery, lostPromise } from './line.ts'
import { agreeOnSealing, contractOf, type Office, proxyParams, standing, textOf } from './office.ts'
import { Refusal } from './refusal.ts'
import type { Relay } from './relay.ts'
import { acceptKey } from './sealed-desk.ts'
import { WorkerSeat } from './seats.ts'
import { readWorkerAnswer, workerAnswerNames } from './worker-answer.ts'
import {
  acceptWorker,
  compareBalance,
  nextWorkerStage,
  type WorkerProfile,
  type WorkerRules,
  type WorkerStage,
} from './worker-handshake.ts'

const answerNames: ReadonlySet<string> = new Set(workerAnswerNames)
/** What an answer carries is passed on and forgotten. */
const decodeAnswer = sharingDecoder(...workerAnswerNames)

/** One inbound connection on the workers' port (50 §2.1, §2.3). */
export class WorkerLine {
  readonly handlers: PacketHandlers
  readonly #office: Office
  readonly #relay: Relay
  readonly #connection: PacketConnection
  readonly #imageHash: Uint8Array
  #stage: WorkerStage = 'connect'
  #profile: WorkerProfile | undefined
  #seat: WorkerSeat | undefined

  constructor(office: Office, relay: Relay, connection: PacketConnection, imageHash: Uint8Array) {
    this.#office = office
    this.#relay = relay
    this.#connection = connection
    this.#imageHash = imageHash
    this.handlers = {
      onQuery: (data) => answerQuery(connection, this.#stage !== 'ready', () => this.#answer(data)),
      onPacket: (data) => this.#packet(data),
    }
  }

  get seat(): WorkerSeat | undefined {
    return this.#seat
  }

  /** The connection is over. */
  ended(): void {
    const seat = this.#seat
    if (seat === undefined) return
    const { exchange, ledger, desk } = this.#office
    exchange.removeWorker(seat)
    if ([...exchange.workers].some(({ account }) => account === seat.account)) return
    if (ledger.dropBlank(seat.account)) desk.forget(seat.account)
  }

  /** Tells the worker about a payment that has become final. */
  announce(payment: TlObject<'proxy.signedPayment' | 'proxy.signedPaymentEmpty'>): void {
    this.#send(payment).catch(() => this.#office.logger.debug('a payment was not announced'))
  }

  #send(message: TlObject): Promise<void> {
    return this.#connection.sendPacket(encodePacket(message))
  }

  #answer(data: Uint8Array): TlObject {
    const name = nameOf(data)
    switch (name) {
      case 'worker.connectToProxy':
      case 'worker.compareBalanceWithProxy':
      case 'worker.extendedCompareBalanceWithProxy':
      case 'worker.proxyHandshakeComplete': {
        const next = nextWorkerStage(this.#stage, name)
        const answer = this.#handshake(decode(data, name))
        this.#stage = next
        return answer
      }
      case 'worker.updatePaymentStatus': {
        if (this.#seat === undefined)
          throw new Refusal(peerErrorCodes.protocolViolation, 'worker request from non-ready connection')
        decode(data, name)
        const { signed_payment, db, max } = standing(this.#office, this.#seat.account)
        return { '@type': 'worker.paymentStatus', signed_payment, db_tokens: db, max_tokens: max }
      }
      case 'client.connectToProxy':
        throw new Refusal(peerErrorCodes.protocolViolation, 'client connect() from non client')
      case undefined:
        throw lostPromise()
      default:
        if (name.startsWith('client.')) throw new Refusal(peerErrorCodes.protocolViolation, 'expected client connection')
        throw lostPromise()
    }
  }

  #handshake(
    query: TlObject<
      | 'worker.connectToProxy'
      | 'worker.compareBalanceWithProxy'
      | 'worker.extendedCompareBalanceWithProxy'
      | 'worker.proxyHandshakeComplete'
    >,
  ): TlObject {
    switch (query['@type']) {
      case 'worker.connectToProxy':
        return this.#connect(query)
      case 'worker.compareBalanceWithProxy': {
        // Only looked at: before the handshake is complete anybody may claim any owner.
        const { owner } = this.#accepted()
        const account = this.#office.ledger.peek('worker', owner, contractOf(this.#office, 'worker', owner))
        const { signed_payment, db, max } = standing(this.#office, account)
        return {
          '@type': 'worker.compareBalanceWithProxyResult',
          signed_payment,
          tokens_committed_to_db: db,
          max_tokens: max,
          error_code: compareBalance(query, account),
        }
      }
      case 'worker.extendedCompareBalanceWithProxy':
        return { '@type': 'worker.extendedCompareBalanceWithProxyResult', error_code: 0 }
      case 'worker.proxyHandshakeComplete':
        return this.#complete(query.is_disabled)
    }
  }

  #connect(query: TlObject<'worker.connectToProxy'>): TlObject {
    const office = this.#office
    const profile = acceptWorker(query.params, this.#imageHash, {
      isTest: office.identity.params.isTest,
      ...this.#lists(),
      parseAddress: parseOwner,
      versions: office.versions,
    })
    this.#profile = profile
    return {
      '@type': 'worker.connectedToProxy',
      params: proxyParams(office, profile),
      worker_sc_address: textOf(office, contractOf(office, 'worker', profile.owner)),
    }
  }

  /** What the network contract, as it was read last, lists of workers, where that counts. */
  #lists(): Pick<WorkerRules, 'checkImageHash' | 'checkModel'> {
    const { checkHashes, listedModelsOnly, root } = this.#office
    const { workerHashes, modelHashes } = root()
    return {
      checkImageHash: checkHashes ? (hash) => workerHashes.has(hexOf(hash)) : null,
      checkModel:
        checkHashes || listedModelsOnly ? (model) => modelHashes.has(createHash('sha256').update(model).digest('hex')) : null,
    }
  }

  /** Whether the network contract lists no more what this worker came with: it was compared then, and may stand for weeks. */
  get isUnlisted(): boolean {
    if (this.#profile === undefined) return false
    const { checkImageHash, checkModel } = this.#lists()
    return checkImageHash?.(this.#imageHash) === false || checkModel?.(this.#profile.model) === false
  }

  #accepted(): WorkerProfile {
    if (this.#profile === undefined) throw new Refusal(peerErrorCodes.none, 'Wrong constructor found at 4', true)
    return this.#profile
  }

  #complete(disabled: boolean): TlObject {
    const profile = this.#accepted()
    const account = this.#office.ledger.open('worker', profile.owner, contractOf(this.#office, 'worker', profile.owner))
    this.#seat = new WorkerSeat({
      account,
      model: profile.model,
      baseModel: profile.baseModel,
      limit: profile.limit,
      version: profile.version,
      cancels: (profile.flags & cancelExtensionFlag) !== 0,
      seals: agreeOnSealing(this.#office, profile),
      imageHash: this.#imageHash,
      machine: profile.machine,
      send: (message) => this.#send(message),
      coefficient: profile.coefficient,
      enabled: !disabled,
      nowMs: this.#office.now(),
    })
    this.#connection.mostFrameBytes = mostPayloadBytes
    this.#office.exchange.addWorker(this.#seat)
    return { '@type': 'worker.proxyHandshakeCompleted' }
  }

  #packet(data: Uint8Array): void {
    const seat = this.#seat
    if (seat === undefined) return
    const name = nameOf(data)
    if (name === 'worker.enabledDisabled') {
      seat.enabled = decode(data, name).disabled === 0
      this.#office.exchange.changed()
    } else if (name === 'worker.newCoefficient') {
      this.#newCoefficient(seat, decode(data, name).new_coefficient)
    } else if (name === 'worker.sealingKey') {
      this.#newKey(seat, decode(data, name).signed_key)
    } else if (name !== undefined && answerNames.has(name)) {
      this.#relay.workerAnswer(seat, readWorkerAnswer(decodeAnswer(data)))
    }
  }

  #newKey(seat: WorkerSeat, signedKey: Uint8Array): void {
    if (!seat.seals) return
    try {
      acceptKey(seat, signedKey, { root: this.#office.identity.root, nowMs: this.#office.now() })
    } catch (thrown) {
      if (!(thrown instanceof KeyRefused)) throw thrown
      this.#office.logger.warn('a key of a worker is of no use', { worker: seat.account.owner.toString(), reason: thrown.reason })
    }
  }

  #newCoefficient(seat: WorkerSeat, coefficient: number): void {
    if (coefficient < 0 || coefficient >= 1_000_000_000) return this.#connection.close('invalid coefficient value')
    seat.coefficient = coefficient
    for (const query of seat.running.values()) query.coefficient = Math.max(query.coefficient, coefficient)
    this.#office.exchange.changed()
  }
}
