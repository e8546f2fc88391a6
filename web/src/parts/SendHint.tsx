/** How to send something: the lines to copy, with this server's own addresses. */
import { api } from "../api/client";
import { useResource } from "../resource";
import { CopyButton } from "./CopyButton";

/** A listening address as a client on the same machine writes it. */
function endpoint(address: string | undefined, fallback: string): string {
  return `http://${(address ?? fallback).replace(/^https?:\/\//, "").replace(/^(0\.0\.0\.0|\[::\])/, "127.0.0.1")}`;
}

export function SendHint() {
  const status = useResource("status", (signal) => api.status(signal));
  const addresses = status.data?.addresses;
  const http = endpoint(addresses?.otlp_http, "127.0.0.1:4318");
  const grpc = endpoint(addresses?.otlp_grpc, "127.0.0.1:4317");
  const lines = [
    "export OTEL_SERVICE_NAME=my-service",
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
  ].join("\n");
  return (
    <div class="send-hint">
      <p>Any OpenTelemetry SDK or collector can send here. Set these where your application starts:</p>
      <div class="code">
        <pre>{lines}</pre>
        <CopyButton text={lines} label="Copy the settings" />
      </div>
      <p class="muted">
        OTLP over HTTP: <code>{http}</code> · OTLP over gRPC: <code>{grpc}</code> · nothing to send yet? Run{" "}
        <code>fresnel demo</code>.
      </p>
    </div>
  );
}
