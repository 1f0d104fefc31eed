export interface Deviation {
  readonly why: string
  readonly differences: readonly string[]
}

/** Where this proxy differs from the reference on purpose. */
export const deviations: Readonly<Record<string, Deviation>> = {
  'worker: max_tokens above the proxy total, extended comparison, completion refused': {
    why: 'the reference never leaves the extended comparison; here the handshake can be completed',
    differences: ['worker: tcp.queryError 0 -> worker.proxyHandshakeCompleted', 'worker: closed -> nothing'],
  },
  'worker connection drops while a request is running (timeout 3 s)': {
    why: 'the request fails at once with 651 instead of waiting for its timeout',
    differences: ['client: client.queryAnswerError 652 -> client.queryAnswerError 651'],
  },
  'client query bytes are not an http.request': {
    why: 'the query is refused at admission: no worker was chosen, so there is nothing to pay and nobody to tell',
    differences: ['client: proxy.clientRequestPayment 0 -> nothing', 'worker: proxy.workerRequestPayment 0 -> nothing'],
  },
  'two workers: listings, max_active_requests 7 over 3 proxies is 3': {
    why: 'coefficient_max is the largest coefficient, not the largest integer',
    differences: [
      'client {"@type":"tcp.queryAnswer","id":1003,"inner":{"@type":"client.workerTypes","types":[{"@type":"client.workerType","active_workers":2,"coefficient_bucket50":700,"coefficient_max":2147483647,"coefficient_min":300,"name":"scripted/model"}]}} -> client {"@type":"tcp.queryAnswer","id":1003,"inner":{"@type":"client.workerTypes","types":[{"@type":"client.workerType","active_workers":2,"coefficient_bucket50":700,"coefficient_max":700,"coefficient_min":300,"name":"scripted/model"}]}}',
    ],
  },
  'worker claims more committed tokens than the proxy': {
    why: 'the reference aborts; a claim is answered with code 1',
    differences: ['worker: closed -> worker.compareBalanceWithProxyResult 1'],
  },
  'worker answers with bytes that are not an http.response': {
    why: 'the reference aborts; the request fails and nobody is charged',
    differences: [
      'client: closed -> client.queryAnswerError 621',
      'client: nothing -> proxy.clientRequestPayment 0',
      'worker: nothing -> proxy.workerRequestPayment 0',
    ],
  },
  'worker sends queryAnswerErrorEx without final_info': {
    why: 'the reference aborts; the error is passed on',
    differences: [
      'client: closed -> client.queryAnswerErrorEx 5',
      'client: nothing -> proxy.clientRequestPayment 0',
      'worker: nothing -> proxy.workerRequestPayment 0',
    ],
  },
  'worker sends flags 3 (unknown bit 1) in queryAnswerEx': {
    why: 'the capture ends before the payments',
    differences: ['client: nothing -> proxy.clientRequestPayment 3', 'worker: nothing -> proxy.workerRequestPayment 3'],
  },
}
