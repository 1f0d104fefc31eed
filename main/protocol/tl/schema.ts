/**
 * Every constructor and function of the Cocoon protocol that travels between client, proxy, worker and key manager: one TL declaration a
 * line (protocol file 20 §4.2 to §4.6). Ids are the CRC-32 of a line (20 §3) unless `name#id` states it; TypeScript types are inferred
 * from the same text. Fields and messages of newer revisions (95 §1) are in their places; a frozen id is stated. The last lines are
 * extensions, see docs/protocol-extensions.md.
 */
export const declarations = [
  'boolTrue = Bool',
  'boolFalse = Bool',
  // TCP layer (20 §4.2)
  'tcp.ping id:long = tcp.Packet',
  'tcp.pong id:long = tcp.Packet',
  'tcp.packet data:bytes = tcp.Packet',
  'tcp.queryAnswer id:long data:bytes = tcp.Packet',
  'tcp.queryError id:long code:int message:string = tcp.Packet',
  'tcp.query id:long data:bytes = tcp.Packet',
  'tcp.connected id:long = tcp.Packet',
  'tcp.connect id:long = tcp.Packet',
  // Shared parameter and payload types (20 §4.3)
  'tokensUsed prompt_tokens_used:long cached_tokens_used:long completion_tokens_used:long reasoning_tokens_used:long total_tokens_used:long = TokensUsed',
  'worker.params#869c73ed flags:# worker_owner_address:string model:string coefficient:int is_test:flags.0?Bool proxy_cnt:flags.0?int max_active_requests:flags.0?int min_proto_version:flags.1?int max_proto_version:flags.1?int machine_description_json:flags.2?string = worker.Params',
  'proxy.params#d5c5609f flags:# proxy_public_key:int256 proxy_owner_address:string proxy_sc_address:string is_test:flags.0?Bool proto_version:flags.1?int = proxy.Params',
  'client.params#40fdca64 flags:# client_owner_address:string is_test:flags.0?Bool min_proto_version:flags.1?int max_proto_version:flags.1?int = client.Params',
  'proxy.signedPayment data:bytes = proxy.SignedPayment',
  'proxy.signedPaymentEmpty = proxy.SignedPayment',
  'http.header name:string value:string = http.Header',
  'http.response http_version:string status_code:int reason:string headers:(vector http.header) payload:bytes = http.Response',
  'http.request method:string url:string http_version:string headers:(vector http.header) payload:bytes = http.Response',
  // Client and proxy (20 §4.4)
  'client.proxyConnectionAuthShort secret_hash:int256 nonce:long = client.ProxyConnectionAuth',
  'client.proxyConnectionAuthLong nonce:long = client.ProxyConnectionAuth',
  'client.authorizationWithProxySuccess signed_payment:proxy.SignedPayment tokens_committed_to_db:long max_tokens:long = client.AuthorizationWithProxy',
  'client.authorizationWithProxyFailed error_code:int error:string = client.AuthorizationWithProxy',
  'client.connectedToProxy params:proxy.params client_sc_address:string auth:client.ProxyConnectionAuth signed_payment:proxy.SignedPayment = client.ConnectedToProxy',
  'client.queryAnswer answer:bytes is_completed:Bool request_id:int256 request_tokens_used:tokensUsed = client.QueryAnswer',
  'client.queryAnswerError error_code:int error:string request_id:int256 request_tokens_used:tokensUsed = client.QueryAnswer',
  'client.queryAnswerPart answer:bytes is_completed:Bool request_id:int256 request_tokens_used:tokensUsed = client.QueryAnswerPart',
  'client.queryAnswerPartError error_code:int error:string request_id:int256 request_tokens_used:tokensUsed = client.QueryAnswerPart',
  'client.queryFinalInfo flags:# tokens_used:tokensUsed worker_debug:flags.0?string proxy_debug:flags.0?string proxy_start_time:flags.1?double proxy_end_time:flags.1?double worker_start_time:flags.1?double worker_end_time:flags.1?double = client.QueryFinalInfo',
  'client.queryAnswerEx request_id:int256 answer:bytes flags:# final_info:flags.0?client.queryFinalInfo = client.QueryAnswerEx',
  'client.queryAnswerErrorEx request_id:int256 error_code:int error:string flags:# final_info:flags.0?client.queryFinalInfo = client.QueryAnswerEx',
  'client.queryAnswerPartEx request_id:int256 answer:bytes flags:# final_info:flags.0?client.queryFinalInfo = client.QueryAnswerEx',
  'client.refund data:bytes = client.Refund',
  'client.refundRejected active_queries:long = client.Refund',
  'client.workerType name:string active_workers:int coefficient_min:int coefficient_bucket50:int coefficient_max:int = client.WorkerType',
  'client.workerTypes types:(vector client.workerType) = client.WorkerTypes',
  'client.workerInstanceV2#3ea93d00 flags:# coefficient:int active_requests:int max_active_requests:int = client.WorkerInstanceV2',
  'client.workerTypeV2 name:string workers:(vector client.workerInstanceV2) = client.WorkerTypeV2',
  'client.workerTypesV2 types:(vector client.workerTypeV2) = client.WorkerTypesV2',
  'client.paymentStatus signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long = client.PaymentStatus',
  'proxy.clientRequestPayment request_id:int256 signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long request_tokens:long = proxy.WorkerRequestPayment',
  'client.connectToProxy params:client.params min_config_version:int = client.ConnectedToProxy',
  'client.authorizeWithProxyShort data:bytes = client.AuthorizationWithProxy',
  'client.authorizeWithProxyLong = client.AuthorizationWithProxy',
  'client.runQuery model_name:string query:bytes max_coefficient:int max_tokens:int timeout:double request_id:int256 min_config_version:int = client.QueryAnswer',
  'client.runQueryEx#f54cb74b model_name:string query:bytes max_coefficient:int max_tokens:int timeout:double request_id:int256 min_config_version:int flags:# enable_debug:flags.0?Bool public_key:flags.1?int256 = client.QueryAnswerEx',
  'client.requestRefund = client.Refund',
  'client.updatePaymentStatus = client.PaymentStatus',
  'client.getWorkerTypes = client.WorkerTypes',
  'client.getWorkerTypesV2 = client.WorkerTypesV2',
  // Proxy and worker (20 §4.5)
  'proxy.queryAnswer answer:bytes is_completed:Bool request_id:int256 tokens_used:tokensUsed = proxy.QueryAnswer',
  'proxy.queryAnswerError error_code:int error:string request_id:int256 tokens_used:tokensUsed = proxy.QueryAnswer',
  'proxy.queryAnswerPart answer:bytes is_completed:Bool request_id:int256 tokens_used:tokensUsed = proxy.QueryAnswerPart',
  'proxy.queryAnswerPartError error_code:int error:string request_id:int256 tokens_used:tokensUsed = proxy.QueryAnswerPart',
  'proxy.queryFinalInfo flags:# tokens_used:tokensUsed worker_debug:flags.0?string worker_start_time:flags.1?double worker_end_time:flags.1?double = proxy.QueryFinalInfo',
  'proxy.queryAnswerEx request_id:int256 answer:bytes flags:# final_info:flags.0?proxy.queryFinalInfo = proxy.QueryAnswerEx',
  'proxy.queryAnswerErrorEx request_id:int256 error_code:int error:string flags:# final_info:flags.0?proxy.queryFinalInfo = proxy.QueryAnswerEx',
  'proxy.queryAnswerPartEx request_id:int256 answer:bytes flags:# final_info:flags.0?proxy.queryFinalInfo = proxy.QueryAnswerEx',
  'proxy.workerRequestPayment request_id:int256 signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long request_tokens:long request_client_owner:string = proxy.WorkerRequestPayment',
  'proxy.runQuery query:bytes signed_payment:proxy.SignedPayment coefficient:long timeout:double request_id:int256 = proxy.QueryAnswer',
  'proxy.runQueryEx#c805e7e2 query:bytes signed_payment:proxy.SignedPayment coefficient:long timeout:double request_id:int256 flags:# enable_debug:flags.0?Bool private_key:flags.1?int256 = proxy.QueryAnswer',
  'worker.enabledDisabled disabled:int = worker.EnabledDisabled',
  'worker.newCoefficient new_coefficient:int = worker.NewCoefficient',
  'worker.changedModel = worker.ChangedModel',
  'worker.connectedToProxy params:proxy.params worker_sc_address:string = worker.ConnectedToProxy',
  'worker.compareBalanceWithProxyResult signed_payment:proxy.SignedPayment tokens_committed_to_db:long max_tokens:long error_code:int = worker.CompareBalanceWithProxyResult',
  'worker.extendedCompareBalanceWithProxyResult error_code:int = worker.ExtendedCompareBalanceWithProxyResult',
  'worker.proxyHandshakeCompleted = worker.HandshakeCompleted',
  'worker.paymentStatus signed_payment:proxy.SignedPayment db_tokens:long max_tokens:long = worker.PaymentStatus',
  'worker.connectToProxy params:worker.params = worker.ConnectedToProxy',
  'worker.compareBalanceWithProxy tokens_committed_to_blockchain:long tokens_committed_to_db:long max_tokens:long = worker.CompareBalanceWithProxyResult',
  'worker.extendedCompareBalanceWithProxy tokens_committed_to_db:long other:bytes = worker.ExtendedCompareBalanceWithProxyResult',
  'worker.proxyHandshakeComplete is_disabled:Bool = worker.HandshakeCompleted',
  'worker.updatePaymentStatus = worker.PaymentStatus',
  'worker.changeModel new_model:string = worker.ChangedModel',
  // Key manager (20 §4.6); newer revisions changed the argument and kept the name (95 §1)
  'keyManager.privateKey valid_until_utime:int private_key:int256 = keyManager.PrivateKey',
  'keyManager.privateKeys keys:(vector keyManager.privateKey) = keyManager.PrivateKeys',
  'keyManager.getWorkerPrivateKeys min_config_version:int = keyManager.PrivateKeys',
  'keyManager.getProxyPrivateKeys min_config_version:int = keyManager.PrivateKeys',
  'keyManager.getWorkerPrivateKeysNewer#4b90e9b1 proto_version:int = keyManager.PrivateKeys',
  'keyManager.getProxyPrivateKeysNewer#4135d0bd proto_version:int = keyManager.PrivateKeys',
  // Cancel extension (docs/protocol-extensions.md)
  'client.cancelQuery request_id:int256 = client.CancelQuery',
  'proxy.cancelQuery request_id:int256 = proxy.CancelQuery',
  // Sealed queries extension (docs/protocol-extensions.md)
  'worker.sealingKey signed_key:bytes = worker.SealingKey',
  'client.getWorkerKeys model_name:string = client.WorkerKeys',
  'client.workerKey signed_key:bytes coefficient:int active_requests:int max_active_requests:int = client.WorkerKey',
  'client.workerKeys keys:(vector client.workerKey) = client.WorkerKeys',
  'client.runSealedQuery model_name:string query:bytes max_coefficient:int max_tokens:int timeout:double request_id:int256 min_config_version:int flags:# enable_debug:flags.0?Bool worker_key:int256 = client.QueryAnswerEx',
  'proxy.runSealedQuery query:bytes signed_payment:proxy.SignedPayment coefficient:long timeout:double request_id:int256 flags:# enable_debug:flags.0?Bool worker_key:int256 = proxy.QueryAnswer',
  'sealed.walletW5 public_key:int256 wallet_id:int = sealed.Wallet',
  'sealed.walletCocoon public_key:int256 owner:string = sealed.Wallet',
  'sealed.key public_key:int256 created_at:long expires_at:long root:string owner:string wallet:sealed.Wallet model:string = sealed.Key',
  'sealed.machineKey public_key:int256 created_at:long expires_at:long root:string owner:string wallet:sealed.Wallet model:string gpu:string = sealed.Key',
  'sealed.signedKey flags:# key:bytes signature:bytes quote:flags.0?bytes = sealed.SignedKey',
  'sealed.head worker_key:int256 request_id:int256 proxy:string model:string max_tokens:int max_coefficient:int body_limit:int choices:int sealed_bytes:int = sealed.Head',
  'sealed.request head:bytes enc:int256 sealed:bytes = sealed.Request',
  'sealed.end prompt_tokens:long cached_tokens:long completion_tokens:long reasoning_tokens:long coefficient:int tokens_used:tokensUsed = sealed.End',
  'sealed.error code:int text:string = sealed.Error',
] as const

/**
 * Bit of `client.params.flags`, `worker.params.flags` and `proxy.params.flags` by which a peer says that it understands
 * `client.cancelQuery` / `proxy.cancelQuery`. It carries no field, so peers that do not know it are not disturbed (20 §2).
 */
export const cancelExtensionFlag = 0x4000_0000

/** Bit of the same fields by which a peer says that it takes part in sealed queries. It carries no field either. */
export const sealedExtensionFlag = 0x2000_0000
