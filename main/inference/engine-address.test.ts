import { expect, it } from 'vitest'
import { engineAddress } from './engine-address.ts'

it.each([
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
  ['http://127.0.0.1:8080/v1', 'http://127.0.0.1:8080/'],
  ['http://127.0.0.1:8080/v1//', 'http://127.0.0.1:8080/'],
  ['https://host/api/v1/', 'https://host/api'],
  // A host of that name is no part of the path.
  ['http://v1', 'http://v1/'],
  ['http://v1/v1', 'http://v1/'],
])('%s is asked at %s', (text, url) => expect(engineAddress(text).url.href).toBe(url))

it.each(['', 'v1', 'ftp://host', 'http://', 'http://a:b@host', 'http://host/?x', 'http://host/#x'])('%j is no address', (text) =>
  expect(() => engineAddress(text)).toThrow(expect.objectContaining({ code: 'bad-url' })),
)
