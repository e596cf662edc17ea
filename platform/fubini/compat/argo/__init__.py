"""The Argo door: Argo Server's HTTP/1 routes over our own services, so that the `argo` CLI and Hera submit unchanged.

A namespace is a project. Everything is read by selectors and written by services that REST uses, too; this package only
translates: requests into calls, rows into Argo's objects, errors into grpc-gateway's. gRPC is not served.
"""
