import { z } from 'zod'
import { asError, Failure } from '../../base/failure.ts'
import { AttestationError } from './attestation-error.ts'
import type { Collateral } from './collateral.ts'
import type { Platform } from './pck-extension.ts'

export interface CollateralServiceOptions {
  /** Where the paths of Intel's PCS API v4 begin, see `parsePccsUrl`. */
  readonly url: string
  readonly fetch?: typeof globalThis.fetch
  /** For all answers together; 8 s, which leaves room within the limit of a handshake. */
  readonly timeoutMs?: number
}

/** Intel's own service: needs no key for collateral. It learns the model of the processor that is asked about, nothing else. */
export const intelServiceUrl = 'https://api.trustedservices.intel.com'
/** Intel's service has the list of the root authority at another place than caching services. */
const intelRootCrlUrl = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
const mostBytes = 2 ** 20
const signature = z.string().regex(/^[0-9a-fA-F]{128}$/)
const tcbAnswer = z.object({ tcbInfo: z.record(z.string(), z.unknown()), signature })
const qeAnswer = z.object({ enclaveIdentity: z.record(z.string(), z.unknown()), signature })

/**
 * Base address of a service, from what an operator writes: with or without the path of the API. Only https, or http on this computer.
 * @throws Failure `pccs-invalid`
 */
export function parsePccsUrl(text: string): string {
  const url = URL.parse(text.replace(/\/+$/, '').replace(/\/(sgx|tdx)\/certification\/v4$/, ''))
  const isHere = url !== null && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  if (
    url === null ||
    !(url.protocol === 'https:' || (url.protocol === 'http:' && isHere)) ||
    url.username ||
    url.search ||
    url.hash
  )
    throw new Failure('pccs-invalid', `${text} is no address of a collateral service.`, {
      advice: `It begins with https://, as ${intelServiceUrl} does, or with http:// on this computer.`,
    })
  return url.href.replace(/\/+$/, '')
}

/** Asks a service (Intel's PCS or a PCCS) for collateral. What it says is not verified, only taken apart. */
export class CollateralService {
  readonly #url: string
  readonly #fetch: typeof globalThis.fetch
  readonly #timeoutMs: number

  constructor({ url, fetch = globalThis.fetch, timeoutMs = 8_000 }: CollateralServiceOptions) {
    this.#url = url
    this.#fetch = fetch
    this.#timeoutMs = timeoutMs
  }

  /** @throws AttestationError `collateral-unavailable`, `collateral-malformed` */
  async get({ fmspc, authority }: Pick<Platform, 'fmspc' | 'authority'>): Promise<Collateral> {
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(this.#timeoutMs)])
    try {
      const [tcb, qe, pckCrl, rootCrl] = await Promise.all([
        this.#ask(`${this.#url}/tdx/certification/v4/tcb?fmspc=${fmspc.toUpperCase()}`, signal),
        this.#ask(`${this.#url}/tdx/certification/v4/qe/identity`, signal),
        this.#ask(`${this.#url}/sgx/certification/v4/pckcrl?ca=${authority}&encoding=der`, signal),
        this.#ask(this.#url === intelServiceUrl ? intelRootCrlUrl : `${this.#url}/sgx/certification/v4/rootcacrl`, signal),
      ])
      const { tcbInfo, signature: tcbInfoSignature } = tcbAnswer.parse(JSON.parse(textOf(tcb)))
      const { enclaveIdentity, signature: qeIdentitySignature } = qeAnswer.parse(JSON.parse(textOf(qe)))
      return {
        // Intel signs the compact form, which this is: the signature tells if it is not.
        tcbInfo: JSON.stringify(tcbInfo),
        tcbInfoSignature,
        tcbInfoChain: chainOf(tcb, 'tcb-info-issuer-chain', 'sgx-tcb-info-issuer-chain'),
        qeIdentity: JSON.stringify(enclaveIdentity),
        qeIdentitySignature,
        qeIdentityChain: chainOf(qe, 'sgx-enclave-identity-issuer-chain'),
        rootCrl: derOf(rootCrl.bytes),
        pckCrl: derOf(pckCrl.bytes),
      }
    } catch (error) {
      if (error instanceof AttestationError) throw error
      throw new AttestationError('collateral-malformed', 'The collateral service answered something else', { cause: error })
    } finally {
      // What is still on its way is of no use when one answer failed.
      stop.abort()
    }
  }

  async #ask(url: string, signal: AbortSignal): Promise<Answer> {
    try {
      const response = await this.#fetch(url, { signal, redirect: 'error', headers: { accept: '*/*' } })
      if (!response.ok) throw new Error(`status ${response.status}`)
      return { headers: response.headers, bytes: await bounded(response) }
    } catch (cause) {
      const { hostname } = new URL(url)
      throw new AttestationError(
        'collateral-unavailable',
        `Intel’s data for the check could not be had from ${hostname}: ${asError(cause).message}`,
        {
          cause,
          retryable: true,
          advice: 'Check the connection, or name another service with --pccs.',
        },
      )
    }
  }
}

interface Answer {
  readonly headers: Headers
  readonly bytes: Uint8Array
}

async function bounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > mostBytes) throw new Error('an answer without end')
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function textOf({ bytes }: Answer): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

function chainOf({ headers }: Answer, ...names: readonly string[]): string {
  const value = names.map((name) => headers.get(name)).find((one) => one !== null)
  if (value === undefined || value === null) throw new TypeError(`no header ${names[0]}`)
  return decodeURIComponent(value)
}

/** A list as DER, which some services write in hex. */
function derOf(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x30 && bytes[1] !== undefined && bytes[1] >= 0x80) return bytes
  const text = Buffer.from(bytes).toString('latin1').trim()
  if (!/^([0-9a-fA-F]{2})+$/.test(text)) throw new TypeError('no list of revoked certificates')
  return new Uint8Array(Buffer.from(text, 'hex'))
}
