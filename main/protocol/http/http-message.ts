import { encode, sharingDecoder } from '../tl/codec.ts'
import type { TlObject } from '../tl/types.ts'

export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>

export interface HttpRequest {
  readonly method: string
  /** Bare path, e.g. `/v1/chat/completions`. */
  readonly path: string
  readonly headers: HeaderList
  readonly body: Uint8Array
}

export interface HttpResponseHead {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
}

const wireHeaders = (headers: HeaderList): TlObject<'http.header'>[] =>
  headers.map(([name, value]) => ({ '@type': 'http.header', name, value }))
const pairs = (headers: readonly TlObject<'http.header'>[]): HeaderList =>
  headers.map(({ name, value }) => [name, value] as const)

/** Headers of one hop; each side sets its own (protocol 30 §7.1, 40 §4). Names in any case. */
export function withoutHopHeaders(headers: HeaderList): HeaderList {
  const hop = ['content-length', 'transfer-encoding', 'connection']
  return headers.filter(([name]) => !hop.includes(name.toLowerCase()))
}

/** All that an engine has to know of a request beside its body. Names in any case. */
export function formHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => ['content-type', 'accept'].includes(name.toLowerCase()))
}

/** Value of the first header of that name, in any case. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  return headers.find(([given]) => given.toLowerCase() === name.toLowerCase())?.[1]
}

/**
 * Boxed `http.request` with a fresh Content-Length. Of the caller's headers only Content-Type and Accept travel: others, such as
 * Authorization and cookies, would reach the worker (protocol 30 §7.1, 90 §2.5).
 * @param insideSeal headers of this client's own that travel too; never in a request that others read on its way
 */
export function encodeHttpRequest(request: HttpRequest, insideSeal: HeaderList = []): Uint8Array {
  return encode({
    '@type': 'http.request',
    method: request.method,
    url: request.path,
    http_version: 'HTTP/1.1',
    headers: wireHeaders([...formHeaders(request.headers), ...insideSeal, ['Content-Length', String(request.body.length)]]),
    payload: request.body,
  })
}

const decodeRequest = sharingDecoder('http.request')
const decodeResponse = sharingDecoder('http.response')

/** The body is a view of `bytes`. Throws TlError for bytes that hold no `http.request`. */
export function decodeHttpRequest(bytes: Uint8Array): HttpRequest {
  const request = decodeRequest(bytes)
  return { method: request.method, path: request.url, headers: pairs(request.headers), body: request.payload }
}

/** Boxed `http.response` as a worker's first answer (protocol 40 §4.5). */
export function encodeHttpResponse(head: HttpResponseHead, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encode({
    '@type': 'http.response',
    http_version: 'HTTP/1.1',
    status_code: head.status,
    reason: head.reason,
    headers: wireHeaders(head.headers),
    payload,
  })
}

/** The payload is a view of `bytes`. Throws TlError for bytes that hold no `http.response`. */
export function decodeHttpResponse(bytes: Uint8Array): HttpResponseHead & { readonly payload: Uint8Array } {
  const response = decodeResponse(bytes)
  return {
    status: response.status_code,
    reason: response.reason,
    headers: pairs(response.headers),
    payload: response.payload,
  }
}

/** Unix time as the network's timing headers write it: seconds with six decimals (protocol 30 §7.5). */
export function timingHeader(unixMs: number): string {
  return (unixMs / 1000).toFixed(6)
}
